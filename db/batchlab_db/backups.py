"""What a restore does in the database, beside bringing the rows back: the SQL before and after them.

All of it runs in one transaction with the restored rows. A worker that still holds a lease of the time before would
otherwise write behind a checkpoint that is older than it thinks: so every cohort gets an epoch above all that were
ever handed out, and whoever comes with an older one is shut out.
"""

BEFORE = """
SET LOCAL lock_timeout = '20s';
CREATE TEMPORARY TABLE handed_out ON COMMIT DROP AS SELECT 0::bigint AS epoch;
DO $$ BEGIN
    IF to_regclass('public.cohorts') IS NOT NULL THEN
        LOCK TABLE public.cohorts IN ACCESS EXCLUSIVE MODE;
        UPDATE handed_out SET epoch = coalesce((SELECT max(c.epoch) FROM public.cohorts c), 0);
    END IF;
END $$;
DROP SCHEMA public CASCADE;
CREATE SCHEMA public;
"""
"""Remember the highest epoch, and clear the way."""

AFTER = """
UPDATE public.cohorts SET epoch = epoch + (SELECT h.epoch FROM pg_temp.handed_out h) + 1;
UPDATE public.cohorts SET status = 'ready', worker_id = NULL, machine = NULL, lease_until = NULL, phase = NULL,
    not_before = NULL, ready_since = clock_timestamp() WHERE status = 'running';
UPDATE public.cells SET status = 'queued' WHERE status = 'running';
UPDATE public.slices SET ended_at = clock_timestamp(), outcome = 'lost' WHERE ended_at IS NULL;
UPDATE public.experiments SET version = version + 1;
DELETE FROM public.workers;
"""
"""Fence everybody out, let what was running wait for a worker, and forget workers that may be long gone."""

COUNTS = "SELECT (SELECT count(*) FROM experiments), (SELECT count(*) FROM cells)"
"""What a restore brought back, for its report."""
