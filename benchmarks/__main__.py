"""Every benchmark that stands beside a peer, the floors of the sweeps, and those of the service: `make bench`."""

from benchmarks import floors, load, scale, service, storage, sweeps

storage.main()
sweeps.main()
floors.main()
service.main()
load.main()
scale.main()
