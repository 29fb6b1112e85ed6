*filter
:INPUT
-p tcp -m multiport --sports 53,1024:65535;=;OK
-p udp -m multiport --dports 53,1024:65535;=;OK
-p udp -m multiport --ports 53,1024:65535;=;OK
-p tcp -m multiport ! --sports 1,2 -m multiport ! --ports 3;=;OK
-p tcp -m multiport --source-ports 1 -m multiport --destination-ports 2;-p tcp -m multiport --sports 1 -m multiport --dports 2;OK
-p tcp -m multiport ! --dports 80,http,443;-p tcp -m multiport ! --dports 80,80,443;OK
-p tcp -m multiport --dport 80;-p tcp -m multiport --dports 80;OK
-p tcp -m multiport --ports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15;=;OK
-p tcp -m multiport --ports 1,2,3,4,5,6,7,8,9,10,11,12,13,14:15;=;OK
-p tcp -m multiport --ports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16;;FAIL
-p tcp -m multiport --ports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15:16;;FAIL
-p udplite -m multiport --sports 9;=;OK
-p sctp -m multiport --sports 9;=;OK
-p dccp -m multiport --sports 9;=;OK
-p tcp -m multiport --dports 80:80;;FAIL
-p tcp -m multiport --dports 81:80;;FAIL
-p tcp -m multiport --dports :80;;FAIL
-p tcp -m multiport --dports 80,;;FAIL
-p tcp -m multiport --dports 65536;;FAIL
-p tcp -m multiport --dports nosuchservice;;FAIL
-p tcp -m multiport --sports 1 --dports 2;;FAIL
-p tcp -m multiport;;FAIL
-m multiport --dports 80;;FAIL
-p icmp -m multiport --dports 80;;FAIL
! -p tcp -m multiport --dports 80;;FAIL
