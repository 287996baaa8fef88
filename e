antconf: fe80::1 is not an address of this machine; listen on 127.0.0.1
