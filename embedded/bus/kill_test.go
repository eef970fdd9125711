package bus_test

func childMain() {}
