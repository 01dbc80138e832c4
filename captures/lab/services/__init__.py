"""Services of system VMs that the lab runs itself, on sockets of a namespace."""
