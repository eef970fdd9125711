//go:build duckdb_arrow

package sql_test

import "testing"

// TestADBC asks by ADBC's driver for Flight SQL.
func TestADBC(t *testing.T) {
	python(t, "adbc_driver_flightsql", "adbc_flight.py", "grpc://"+tarn(t)["flight"])
}
