"""Files and pipes in, records out: pcap, pcapng and their compressions. Knows containers and no protocol."""
