*filter
:INPUT
-p udp -m udp;=;OK
-p udp --sport 67 --dport 68;-p udp -m udp --sport 67 --dport 68;OK
-p udp --source-port 67 ! --destination-port 68;-p udp -m udp --sport 67 ! --dport 68;OK
-p udp --dport 53:66;-p udp -m udp --dport 53:66;OK
-p udp --dport domain;-p udp -m udp --dport 53;OK
-p udp --dport :;-p udp -m udp;OK
-p udp ! --sport 0:65535;-p udp -m udp ! --sport 0:65535;OK;;1.8.9 drops a negated full range
-p 17 -m udp --dport 1;-p udp -m udp --dport 1;OK
-p udp --dport 2:1;;FAIL;;1.8.9 accepts a reversed range
-p udp --dport 70000;;FAIL;;1.8.9 cuts it to 16 bits
-p tcp -m udp --dport 1;;FAIL
-p udp --syn;;FAIL
