@4
*filter
:INPUT
-p icmp -m icmp --icmp-type any;=;OK
-p icmp --icmp-type echo-request;-p icmp -m icmp --icmp-type 8;OK
-p icmp --icmp-type ping;-p icmp -m icmp --icmp-type 8;OK
-p icmp --icmp-type PONG;-p icmp -m icmp --icmp-type 0;OK
-p icmp --icmp-type destination-unreachable;-p icmp -m icmp --icmp-type 3;OK
-p icmp --icmp-type fragmentation-needed;-p icmp -m icmp --icmp-type 3/4;OK
-p icmp --icmp-type frag;-p icmp -m icmp --icmp-type 3/4;OK
-p icmp --icmp-type TOS-host-redirect;-p icmp -m icmp --icmp-type 5/3;OK
-p icmp --icmp-type address-mask-reply;-p icmp -m icmp --icmp-type 18;OK
-p icmp -m icmp --icmp-type 8/0;=;OK
-p icmp -m icmp --icmp-type 3/255;=;OK
-p icmp ! --icmp-type 8;-p icmp -m icmp ! --icmp-type 8;OK
-p 1 --icmp-type 40;-p icmp -m icmp --icmp-type 40;OK
-p icmp --icmp-type any -m icmp --icmp-type 3/4;-p icmp -m icmp --icmp-type any -m icmp --icmp-type 3/4;OK
-p icmp --icmp-type 255;-p icmp -m icmp --icmp-type any;OK
-p icmp -m icmp --icmp-type 255/255;=;OK;;1.8.9 prints any
-p icmp -m icmp;;FAIL
-p icmp --icmp-type 256;;FAIL
-p icmp --icmp-type 8/256;;FAIL
-p icmp --icmp-type 8/-1;;FAIL
-p icmp --icmp-type 8/;;FAIL
-p icmp --icmp-type nosuch;;FAIL
-p icmp --icmp-type network;;FAIL
-p icmp --icmp-type;;FAIL
-m icmp --icmp-type 8;;FAIL
-p tcp -m icmp --icmp-type 8;;FAIL
-p icmp --icmp-type 8 --icmp-type 9;;FAIL
