"""Analyses as work: asked for, taken under leases, recorded behind a fence, read.

The protocol is that of cohorts: a claim raises the epoch, every write first renews the lease under it, and losses
without progress are counted. What a holder writes are states and, at the end, the finding; both replace what was there,
so that a write that is run again changes nothing.
"""
