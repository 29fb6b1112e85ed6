*filter
:INPUT
-p sctp -m sctp;=;OK
-p sctp --sport 1;-p sctp -m sctp --sport 1;OK
-p sctp --source-port 1 --destination-port 80;-p sctp -m sctp --sport 1 --dport 80;OK
-p sctp ! --dport 80:90;-p sctp -m sctp ! --dport 80:90;OK
-p sctp -m sctp --dport 0:65535;=;OK
-p sctp -m sctp ! --sport 0:65535;=;OK
-p sctp --dport 2:1;;FAIL
-m sctp --dport 1;;FAIL
