"""Every benchmark that stands beside a peer: `make bench`."""

from benchmarks import storage, sweeps

storage.main()
sweeps.main()
