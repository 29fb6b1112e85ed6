*mangle
:FORWARD
-p tcp --syn -j TCPMSS --set-mss 1400;-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j TCPMSS --set-mss 1400;OK
-p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu;-p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu;OK
-p tcp -j TCPMSS --set-mss 0;=;OK
-p tcp -j TCPMSS;;FAIL
-p tcp -j TCPMSS --set-mss 1 --clamp-mss-to-pmtu;;FAIL;;1.8.9 takes the last
-p tcp -j TCPMSS --set-mss 65536;;FAIL
-j TCPMSS --set-mss 1400;;FAIL
