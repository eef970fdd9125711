package files_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestHowAFileGrowsChangesNothing: CSV with rows that are none, written in pieces that end anywhere, read by a source
// that loses every second append, gives the records and the dead letters of the same file read at once.
func TestHowAFileGrowsChangesNothing(t *testing.T) {
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var text strings.Builder
		text.WriteString("a,b\n")
		cells := []string{"x", "", `"q""q"`, "\"two\nlines\"", `"open`, `mid"dle`, `"more"behind`, "é", "1,2", strings.Repeat("long", 3000)}
		for range 400 {
			fmt.Fprintf(&text, "%s,%s\n", cells[rng.IntN(len(cells))], cells[rng.IntN(len(cells))])
		}
		text.WriteString("\"\nend,end\n")
		keys := []string{"format", "csv", "tail", "true", "columns", "a:string,b:string"}

		once := newRig(t, keys...)
		write(t, once.path("a.part"), text.String()) // seen when it is whole
		rename(t, once.path("a.part"), once.path("a.csv"))
		ended := func(r *rig) func() bool {
			return func() bool {
				v := r.values()
				return len(v) > 0 && strings.HasSuffix(v[len(v)-1], `{"a":"end","b":"end"}`)
			}
		}
		once.await(ended(once), func() any { return len(once.values()) })

		r := newRig(t, append(keys, "quiet.ms", "3000000")...)
		n := 0
		r.log.Refuse = func(string) (bool, error) {
			if n++; n%2 == 0 {
				return n%4 == 0, errors.New("the process is gone")
			}
			return false, nil
		}
		for rest := text.String(); rest != ""; {
			k := min(1+rng.IntN(40_000), len(rest))
			write(t, r.path("a.csv"), rest[:k])
			rest = rest[k:]
			time.Sleep(5 * time.Millisecond) // so that some pieces are met alone
		}
		r.stop()
		r.config.Keys["quiet.ms"] = "10" // a quote may be open at the end
		r.start()
		r.await(ended(r), func() any { return len(r.values()) })
		if got, want := r.values(), once.values(); !slices.Equal(got, want) {
			t.Fatalf("seed %d: %d records, want %d", seed, len(got), len(want))
		}
		if got, want := r.letters(), once.letters(); !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: %d dead letters, want %d", seed, len(got), len(want))
		}
		r.stop()
	}
}
