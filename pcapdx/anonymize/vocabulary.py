"""Words that stay, and words that no pseudonym may be."""


def _all(text: str) -> frozenset[str]:
    return frozenset(text.split())


ENDINGS = _all("""
    com net org edu gov mil int info biz io cloud dev app arpa local localdomain localhost internal intranet
    lan home corp private test example invalid onion
""")
"""Last labels that stay, and all of two letters."""
KEPT = _all("""
    pcapng zst lz4 bz2 cap dmp brvx ethernet
    localhost localdomain data-server realhostip cloudstack apache acs kvm xen nip sslip xip plex direct
    traefik lvh local-ip medicmobile wpad isatap ubuntu debian centos rocky fedora cirros alpine minwinpc
    in-addr ip6 iqn naa eui default root admin cloud systemvm nobody anonymous none vm vr any win ip instance
    desktop xn tap bridge nic bond trunk router vlan stdin upstream host hosta hostb hostc tcp udp http https
    dns dhcp www ns ntp ca co ag gmbh ltd inc
""")
"""Labels with a meaning to protocols, CloudStack or whoever has just installed an operating system."""
COMMON = _all("""
    a an as at be by do go he if in is it me my no of on or so to up us we am pm id ms ns mb kb gb tb rx tx ad
    af pcap and are ask bad bit but can did end few for get got had has her his how its let may men net new
    nor not now off old one our out own per put ran run saw say see set she six ten the too top try two use
    via was way who why yes yet you able also asks back been both came case come does done down each else even
    ever find five four from full gave goes good half hand have hear held here high hold idle into just keep
    kept last late left less like line list long look made mail make many mark meet miss more most much must
    name near need next nine none only open over page part pass past path port same seen send sent side size
    some such sure take tell than that them then they this time told took true turn type unit upon used very
    wait want well went were what when will with word work years zero frame frames filter mac arp ack nak syn
    rst fin tls ssl sni vnc ssh nfs mtu lan wan vpn tag tags cut drop lost loop lease offer ping table rules
    grep awk sed cat tail head host virsh ovs ofctl dev show link add del mask
""")
"""Words that no pseudonym may be, for they stand in sentences and commands."""
