@4
*filter
:INPUT
-m ttl --ttl-eq 0;=;OK
-m ttl --ttl-eq 255;=;OK
-m ttl ! --ttl 5;-m ttl ! --ttl-eq 5;OK
-m ttl --ttl-lt 5;=;OK
-m ttl --ttl-gt 5;=;OK
-m ttl ! --ttl-eq 7;=;OK
-m ttl --ttl-eq 256;;FAIL
-m ttl --ttl-eq -1;;FAIL
-m ttl --ttl-lt 1 --ttl-gt 2;;FAIL
-m ttl ! --ttl-lt 5;;FAIL
-m ttl;;FAIL
