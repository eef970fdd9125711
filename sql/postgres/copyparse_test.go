//go:build duckdb_arrow

package postgres_test

import (
	"fmt"
	"testing"

	"tarn/sql/postgres"
)

// FuzzCopyIn: however the data of a COPY is cut into messages, its rows are the same, and none ends the program.
func FuzzCopyIn(f *testing.F) {
	f.Add("text", []byte("1\ta\\tb\\\n2\t\\N\n\\.\n3\t4\n"))
	f.Add("text", []byte("a\\\\\t\\x4\\101\\\r\n\t\\"))
	f.Add("csv", []byte("1,\"a \"\"b\"\"\n\"\n2,\n\"\",\"x"))
	f.Add("csv", []byte("a,b\r\n\"c\r\nd\",e\r\n\\.\r\n"))
	f.Add("binary", []byte("PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x02ab\x00\x02\x00\x00\x00\x01x\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, format string, data []byte) {
		want, wantErr := postgres.CopyRows(format, 2, data, len(data)+1)
		for _, piece := range []int{1, 7} {
			got, err := postgres.CopyRows(format, 2, data, piece)
			if fmt.Sprint(got) != fmt.Sprint(want) || (err == nil) != (wantErr == nil) {
				t.Fatalf("%s in pieces of %d: %q, %v, want %q, %v", format, piece, got, err, want, wantErr)
			}
		}
	})
}
