//go:build duckdb_arrow

package sql_test

import "testing"

// TestADBC asks by ADBC's driver for Flight SQL.
func TestADBC(t *testing.T) {
	python(t, "adbc_driver_flightsql", "adbc_flight.py", "grpc://"+tarn(t)["flight"])
}

// TestIngest puts tables of Arrow into tables of the lake by ADBC's adbc_ingest, at both doors that have it, and rows by executemany.
func TestIngest(t *testing.T) {
	ports := tarn(t)
	python(t, "adbc_driver_flightsql", "adbc_ingest.py", "postgresql://me@"+ports["postgres"]+"/lake", ports["flight"])
}
