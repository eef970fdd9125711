//go:build duckdb_arrow

package duck_test

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	duckdb "github.com/duckdb/duckdb-go/v2"

	"tarn/embedded/duck"
)

// TestNoWrite reads what DuckDB says of a disk that takes no writes, in each of its classes for it.
func TestNoWrite(t *testing.T) {
	for text, c := range map[string]struct {
		class duckdb.ErrorType
		want  error
	}{
		`TransactionContext Error: Failed to commit: Could not write file "/d/x.duckdb.wal": No space left on device`:                                              {duckdb.ErrorTypeTransaction, syscall.ENOSPC},
		`FATAL Error: Failed to create checkpoint because of error: Could not write file "/d/x.duckdb": No space left on device`:                                   {duckdb.ErrorTypeFatal, syscall.ENOSPC},
		`IO Error: Could not write file "/d/x.duckdb": Disk quota exceeded`:                                                                                        {duckdb.ErrorTypeIO, syscall.EDQUOT},
		`IO Error: Cannot open file "/d/x.duckdb.wal": Read-only file system`:                                                                                      {duckdb.ErrorTypeIO, syscall.EROFS},
		`Out of Memory Error: failed to offload data block of size 256.0 KiB (9.0 MiB/9.0 MiB used). This limit was set by the 'max_temp_directory_size' setting.`: {duckdb.ErrorTypeOutOfMemory, syscall.ENOSPC},
		`Out of Memory Error: failed to allocate data of size 1.0 MiB (60.0 MiB/61.0 MiB used)`:                                                                    {duckdb.ErrorTypeOutOfMemory, nil},
		`FATAL Error: Failed to create checkpoint because of error: Failed to allocate block of 8388608 bytes (bad allocation)`:                                    {duckdb.ErrorTypeFatal, nil},
		`Conversion Error: Could not convert string 'x' to INT32`:                                                                                                  {duckdb.ErrorTypeConversion, nil},
	} {
		err := fmt.Errorf("commit: %w", &duckdb.Error{Type: c.class, Msg: text})
		if got := duck.NoWrite(err); !errors.Is(got, c.want) {
			t.Errorf("%s: %v, want %v", text, got, c.want)
		}
		if duck.Unreadable(err) {
			t.Errorf("%s: it says nothing of the file", text)
		}
	}
}
