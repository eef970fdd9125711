//go:build duckdb_arrow

package sqllogic_test

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// verdicts are why a query is refused, or answered otherwise, that DuckDB alone answers. What has none is a gap.
var verdicts = []struct {
	of  *regexp.Regexp
	why string
}{
	{regexp.MustCompile(`^unsayable`), "not comparable: the file makes what the Gate is not given"},
	{regexp.MustCompile(`function (nextval|currval) `), "no sequences in a lake"},
	{regexp.MustCompile(`function (getvariable|current_setting|setseed|sleep_ms|pg_sleep|write_log|txid_current|pg_catalog.txid_current) `), "settings and state of the process"},
	{regexp.MustCompile(`function (read_\w+|glob|query|query_table|json_execute_serialized_sql|which_secret|sniff_csv) `), "files, secrets, and tables that a text names"},
	{regexp.MustCompile(`function (stats|vector_type|bitstring_agg|alias|error|current_query|pg_catalog.current_query|summary) `), "tells of rows, or of the rewritten text, that the asker may not see"},
	{regexp.MustCompile(`function (finalize|combine) |export state`), "takes bytes for the state of an aggregate"},
	{regexp.MustCompile(`function (duckdb_\w+|pragma_\w+|sql_auto_complete|json_\w*serialize\w*|test_\w+|icu_calendar_names|pg_timezone_names|parse_\w+|st_\w+) |SHOW cannot`), "the insides of DuckDB and its extensions"},
	{regexp.MustCompile(`function (pg_\w+|pg_catalog\.\w+|has_\w+|current_\w+|inet_\w+|col_description|user|session_user) `), "PostgreSQL's door answers it, or has its own word"},
	{regexp.MustCompile(`there is no (table|schema|catalog)`), "catalogs of DuckDB and PostgreSQL: system and information_schema are Tarn's"},
	{regexp.MustCompile(`Referenced (column|table)|Values list`), "rows of a lake have no rowid"},
	{regexp.MustCompile(`the type \S+ .*cannot be used here|Type with name`), "no answer can have the type, or the file makes it"},
	{regexp.MustCompile(`^differs`), "collations and keys of columns, which tables of a lake do not have; what is random; information_schema, which is Tarn's"},
}

func verdict(kind string) string {
	for _, v := range verdicts {
		if v.of.MatchString(kind) {
			return v.why
		}
	}
	return "a gap"
}

// folderOf is the folder of a file, without what is below.
func folderOf(o outcome) string {
	folder, _, _ := strings.Cut(o.place, "/")
	return folder
}

// well tells whether a query is answered as DuckDB alone answers it.
func (o outcome) well() bool { return o.kind == "equal" || o.kind == "named" }

// summed is the list of what runs: for each folder the queries that can be compared, and those that are answered alike, then why the others are not.
func summed(all []outcome) []byte {
	asked, alike, why := map[string]int{}, map[string]int{}, map[string]int{}
	for _, o := range all {
		if o.well() {
			alike[folderOf(o)]++
			asked[folderOf(o)]++
			continue
		}
		why[verdict(o.kind)]++
		if !strings.HasPrefix(o.kind, "unsayable") {
			asked[folderOf(o)]++
		}
	}
	var b bytes.Buffer
	fmt.Fprintln(&b, "# Of DuckDB's test/sql, by folder: the queries that DuckDB alone answers, and those that the Gate answers alike. The second may only grow.")
	for _, folder := range slices.Sorted(maps.Keys(asked)) {
		fmt.Fprintf(&b, "folder %s %d %d\n", folder, asked[folder], alike[folder])
	}
	fmt.Fprintln(&b, "# The others, by why.")
	for _, w := range slices.Sorted(maps.Keys(why)) {
		fmt.Fprintf(&b, "why %d %s\n", why[w], w)
	}
	return b.Bytes()
}

// held fails where fewer are answered alike than are listed. A folder that was not run is passed over.
func held(t *testing.T, list string, all []outcome) {
	t.Helper()
	text, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	alike, ran := map[string]int{}, map[string]bool{}
	for _, o := range all {
		ran[folderOf(o)] = true
		if o.well() {
			alike[folderOf(o)]++
		}
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) != 4 || words[0] != "folder" || !ran[words[1]] {
			continue
		}
		if n, err := strconv.Atoi(words[3]); err != nil || alike[words[1]] < n {
			t.Errorf("%s: %d are answered alike, of %s listed", words[1], alike[words[1]], words[3])
		}
	}
}

// told is all that a person needs to find the gaps.
func told(all []outcome) []byte {
	counts := map[string]int{}
	for _, o := range all {
		counts[o.kind]++
	}
	kinds := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	var b bytes.Buffer
	for _, k := range kinds {
		why := ""
		if k != "equal" && k != "named" {
			why = " (" + verdict(k) + ")"
		}
		fmt.Fprintf(&b, "%6d %s%s\n", counts[k], k, why)
	}
	for _, k := range kinds {
		if k == "equal" {
			continue
		}
		fmt.Fprintf(&b, "\n=== %d %s\n", counts[k], k)
		shown := 0
		for _, o := range all {
			if o.kind == k && shown < *most {
				shown++
				fmt.Fprintf(&b, "-- %s\n%s\n   %s\n", o.place, clip(o.sql), o.detail)
			}
		}
	}
	return b.Bytes()
}
