@6
*filter
:INPUT
-p ipv6-icmp -m icmp6 --icmpv6-type 128;=;OK
-p icmpv6 --icmpv6-type echo-request;-p ipv6-icmp -m icmp6 --icmpv6-type 128;OK
-p icmpv6 --icmpv6-type destination-unreachable;-p ipv6-icmp -m icmp6 --icmpv6-type 1;OK
-p icmpv6 --icmpv6-type no-route;-p ipv6-icmp -m icmp6 --icmpv6-type 1/0;OK
-p icmpv6 ! --icmpv6-type packet-too-big;-p ipv6-icmp -m icmp6 ! --icmpv6-type 2;OK
-p icmpv6 --icmpv6-type neighbour-solicitation;-p ipv6-icmp -m icmp6 --icmpv6-type 135;OK
-p icmpv6 --icmpv6-type neighbor-advertisement;-p ipv6-icmp -m icmp6 --icmpv6-type 136;OK
-p icmpv6 --icmpv6-type router-advertisement;-p ipv6-icmp -m icmp6 --icmpv6-type 134;OK
-p icmpv6 --icmpv6-type mld-listener-query;-p ipv6-icmp -m icmp6 --icmpv6-type 130;OK;;1.8.9 lacks the MLD names
-p icmpv6 -m icmpv6 --icmpv6-type 143;-p ipv6-icmp -m icmp6 --icmpv6-type 143;OK
-p ipv6-icmp -m icmp6 --icmpv6-type 128/0;=;OK
-p icmpv6 -m icmp6;;FAIL
-p icmpv6 --icmpv6-type 8/-1;;FAIL
-p icmpv6 --icmpv6-type bogus;;FAIL
-m icmp6 --icmpv6-type 128;;FAIL
-p icmp --icmp-type 8;;FAIL
