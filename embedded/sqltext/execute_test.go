package sqltext_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

func TestExecute(t *testing.T) {
	calls := sqltext.Table{Schema: "silver", Name: "calls", Offset: 12}
	for statement, want := range map[string]sqltext.Execute{
		"ALTER TABLE silver.calls EXECUTE compact":                                                   {Table: calls, Action: "compact"},
		"alter table silver.calls execute Optimize":                                                  {Table: calls, Action: "compact"},
		"ALTER TABLE silver.calls EXECUTE optimize(file_size_threshold => '128MB');":                 {Table: calls, Action: "compact", Bytes: 128 << 20},
		"ALTER TABLE silver.calls EXECUTE optimize (FILE_SIZE_THRESHOLD=>'1.5gb') DRY RUN":           {Table: calls, Action: "compact", Bytes: 3 << 29, DryRun: true},
		"ALTER TABLE silver.calls EXECUTE compact()":                                                 {Table: calls, Action: "compact"},
		"ALTER TABLE silver.calls EXECUTE expire_snapshots(retention_threshold => '7d')":             {Table: calls, Action: "expire_snapshots", Age: 7 * 24 * time.Hour},
		"ALTER TABLE silver.calls EXECUTE expire_snapshots('1h30m') dry run":                         {Table: calls, Action: "expire_snapshots", Age: 90 * time.Minute, DryRun: true},
		"ALTER TABLE silver.calls -- now\n EXECUTE /* all */ \"remove_orphan_files\"\n DRY RUN -- ;": {Table: calls, Action: "remove_orphan_files", DryRun: true},
		"ALTER TABLE silver.calls EXECUTE remove_orphan_files(\"retention_threshold\" => '2.50d')":   {Table: calls, Action: "remove_orphan_files", Age: 60 * time.Hour},
		"ALTER TABLE lake.silver.calls EXECUTE expire_snapshots": {
			Table: sqltext.Table{Catalog: "lake", Schema: "silver", Name: "calls", Offset: 12}, Action: "expire_snapshots",
		},
		`ALTER TABLE "Odd ""name""" EXECUTE compact`: {Table: sqltext.Table{Name: `Odd "name"`, Offset: 12}, Action: "compact"},
	} {
		if got, err := sqltext.ParseExecute(statement); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\ngot  %+v %v\nwant %+v", statement, got, err, want)
		}
	}
}

// TestExecuteRefused: what is wrong is said at its place, with what to write.
func TestExecuteRefused(t *testing.T) {
	const front = "ALTER TABLE silver.calls EXECUTE "
	for statement, want := range map[string]string{
		"ALTER TABLE":                                               "1:12 write a name",
		"ALTER TABLE silver.calls":                                  "1:25 write EXECUTE with compact, expire_snapshots or remove_orphan_files",
		"ALTER TABLE silver.calls\nADD COLUMN x":                    "2:1 write EXECUTE with compact, expire_snapshots or remove_orphan_files",
		"ALTER TABLE a.b.c.d EXECUTE compact":                       "1:18 write EXECUTE with",
		front:                                                       "write compact, expire_snapshots or remove_orphan_files",
		front + "compcat":                                           "1:34 did you mean compact?",
		front + "optimise":                                          "1:34 did you mean optimize?",
		front + "rollback_to_snapshot(7)":                           "1:34 write compact, expire_snapshots or remove_orphan_files",
		front + "'compact'":                                         "1:34 write compact",
		front + "compact(":                                          "1:42 write a text such as '128MB'",
		front + "compact(file_size_threshold)":                      "1:61 write => and a value",
		front + "compact(retention_threshold => '7d')":              "1:42 write file_size_threshold => 'value'",
		front + "compact(128)":                                      "1:42 write a text such as '128MB'",
		front + "compact('128')":                                    "1:42 write a number above 0 with its unit, such as '128MB'",
		front + "compact('0MB')":                                    "1:42 write a number above 0",
		front + "compact('NaNMB')":                                  "1:42 write a number above 0",
		front + "expire_snapshots(retention_threshold => '7')":      "1:74 write a number above 0 with its unit, such as '7d'",
		front + "expire_snapshots(retention_threshold => '0d')":     "1:74 write a number above 0",
		front + "expire_snapshots(retention_threshold => '-1h')":    "1:74 write a number above 0",
		front + "expire_snapshots(retention_threshold => 'NaNd')":   "1:74 write a number above 0",
		front + "expire_snapshots(retention_threshold => '1e300d')": "1:74 write a number above 0",
		front + "expire_snapshots('7d', retain_last => 2)":          "1:55 write it alone",
		front + "expire_snapshots('7d' DRY RUN":                     "1:56 write ) after the value",
		front + "compact DRY":                                       "1:45 write RUN",
		front + "compact DRY RUN now":                               "1:50 leave it out",
		front + "optimize WHERE id = 3":                             "1:43 leave it out",
		front + "compact('128MB":                                    "1:42 close it with '",
	} {
		_, err := sqltext.ParseExecute(statement)
		f, ok := errors.AsType[*fault.Error](err)
		if !ok {
			t.Errorf("%s: %v", statement, err)
			continue
		}
		if got := fmt.Sprintf("%d:%d %s", f.Line, f.Column, f.Hint); !strings.Contains(got, want) || f.Code != fault.Syntax {
			t.Errorf("%s: %s %q, %s; want %s", statement, f.Code, f.Message, got, want)
		}
	}
}
