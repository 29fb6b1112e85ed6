@4
*filter
:FORWARD
-m set --match-set one src;=;OK
-m set ! --match-set one dst;=;OK
-m set --match-set two src,dst;=;OK
-m set --match-set one src --return-nomatch;=;OK
-m set --match-set one src ! --update-counters;=;OK
-m set --match-set one src ! --update-subcounters;=;OK
-m set --match-set one src --update-counters --update-subcounters;-m set --match-set one src;OK
-m set --match-set one src --packets-eq 5;=;OK
-m set --match-set one src ! --packets-eq 5 --bytes-gt 0;=;OK
-m set --match-set one src --packets-lt 5 ! --bytes-eq 7;=;OK
-m set --match-set one src --packets-gt 18446744073709551615 --bytes-lt 9;=;OK
-m set --match-set one src --bytes-eq 9;=;OK
-m set;;FAIL
-m set --match-set one;;FAIL
-m set --match-set one up;;FAIL
-m set --match-set one src,src,src,src,src,src,src;;FAIL
-m set --match-set this-name-is-longer-than-a-set-name-is src;;FAIL
-m set --match-set one src --packets-eq 1 --packets-lt 5;;FAIL
-m set --match-set one src --match-set one dst;;FAIL
