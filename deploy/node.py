"""`ray start`, with every port on the loopback alone.

Ray listens on all interfaces unless a node's address is 127.0.0.1, which `ray start` replaces by that of the machine.
Processes that connect to such a node set RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0, which has them take 127.0.0.1 as it is.
"""

from ray._private import services
from ray.scripts.scripts import main

services.get_node_ip_address = lambda *_: "127.0.0.1"

if __name__ == "__main__":
    main()
