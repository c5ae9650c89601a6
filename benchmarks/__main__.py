"""Every benchmark that stands beside a peer, and the floors of the sweeps: `make bench`."""

from benchmarks import floors, storage, sweeps

storage.main()
sweeps.main()
floors.main()
