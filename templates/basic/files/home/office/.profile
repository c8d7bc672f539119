alias orders='ls -la ~/orders'
