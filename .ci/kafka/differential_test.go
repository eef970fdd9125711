//go:build duckdb_arrow

package kafka_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// goldenFile is what Apache Kafka 4.3.1 answered, recorded by TestRecord.
var goldenFile = filepath.Join("testdata", "kafka-4.3.1.json")

// TestRecord writes the golden file anew by a broker of Apache Kafka 4.3.1, at TARN_TEST_KAFKA.
func TestRecord(t *testing.T) {
	address := os.Getenv("TARN_TEST_KAFKA")
	if address == "" {
		t.Skip("records from a real broker: set TARN_TEST_KAFKA to its address")
	}
	all := golden{}
	has := offered(t, address)
	for _, s := range scenarios {
		top := min(has[int16(s.api)][1], kmsg.RequestForKey(int16(s.api)).MaxVersion())
		for v := has[int16(s.api)][0]; v <= top; v++ {
			said, err := talk(t.Context(), address, s, v)
			if err != nil && said == nil {
				t.Errorf("%s: %v", s.name, err)
			}
			all[dialogueOf(s, v)] = said
		}
	}
	if err := os.WriteFile(goldenFile, all.text(t), 0o600); err != nil {
		t.Fatal(err)
	}
}

// text is the file: an exchange a line.
func (g golden) text(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	between := "{"
	for _, s := range scenarios {
		for v := range kmsg.RequestForKey(int16(s.api)).MaxVersion() + 1 {
			for i, e := range g[dialogueOf(s, v)] {
				line, err := json.Marshal(e)
				if err != nil {
					t.Fatal(err)
				}
				if i == 0 {
					fmt.Fprintf(&out, "%s\n%q: [", between, dialogueOf(s, v))
					between = "],"
				} else {
					out.WriteByte(',')
				}
				out.WriteString("\n  ")
				out.Write(line)
			}
		}
	}
	out.WriteString("]\n}\n")
	return out.Bytes()
}

// TestDifferential asks Tarn what Kafka was asked, in each version of each API, and compares the answers. What differs
// has its line in testdata/differences.txt with the reason; a line of what no longer differs is to be taken out.
func TestDifferential(t *testing.T) {
	known := map[string]string{}
	text, err := os.ReadFile(filepath.Join("testdata", "differences.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if key, why, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			known[key] = strings.TrimSpace(why)
		}
	}
	differences, _ := compare(t, tarn(t))
	for key, difference := range differences {
		if known[key] == "" {
			t.Errorf("%s differs from Kafka 4.3.1:\n%s", key, difference)
		}
		delete(known, key)
	}
	for key := range known {
		t.Errorf("%s does not differ any more: take its line out of testdata/differences.txt", key)
	}
}

// TestDifferentialOfFake holds the scenarios themselves against franz-go's fake, which is another reading of the
// protocol: what it, too, answers as Kafka does was no accident of one broker.
func TestDifferentialOfFake(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	differences, asked := compare(t, c.ListenAddrs()[0])
	wrong := 0
	for _, text := range differences {
		wrong += strings.Count(text, "  version ")
	}
	t.Logf("of %d answers franz-go's fake gives %d otherwise than Kafka", asked, wrong)
	if wrong > asked/2 {
		t.Errorf("more than half: are the scenarios right?")
	}
}

func recorded(t *testing.T) (all golden) {
	t.Helper()
	text, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// compare leads every dialogue of the golden file with a broker, and returns what differs: by "scenario: request", with
// the versions in which it does, and by "scenario: versions" where some are not offered.
func compare(t *testing.T, address string) (differences map[string]string, asked int) {
	t.Helper()
	all, has, differences := recorded(t), offered(t, address), map[string]string{}
	for _, s := range scenarios {
		var missing []int16
		said := 0
		for v := range kmsg.RequestForKey(int16(s.api)).MaxVersion() + 1 {
			want := all[dialogueOf(s, v)]
			if said += len(want); want == nil {
				continue
			}
			if r, ok := has[int16(s.api)]; !ok || v < r[0] || v > r[1] {
				missing = append(missing, v)
				continue
			}
			got, err := talk(t.Context(), address, s, v)
			for i, w := range want {
				text := ""
				if i >= len(got) {
					text = fmt.Sprintf("    no answer: %v", err)
				} else if apart := apart("", w.Answer, plainly(t, got[i].Answer)); len(apart) > 0 {
					text = strings.Join(apart, "\n")
				}
				if text != "" {
					key := s.name + ": " + w.Ask
					differences[key] += fmt.Sprintf("  version %d\n%s\n", v, text)
				}
			}
		}
		if said == 0 {
			t.Errorf("%s is not in %s: record it", s.name, goldenFile)
		}
		if missing != nil {
			differences[s.name+": versions"] = fmt.Sprintf("  not offered: %d\n", missing)
		}
		asked += said
	}
	return differences, asked
}

// plainly is an answer as the golden file would have it.
func plainly(t *testing.T, answer any) (out any) {
	t.Helper()
	text, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// apart lists the fields in which two answers differ.
func apart(path string, want, got any) (out []string) {
	w, isMap := want.(map[string]any)
	g, alsoMap := got.(map[string]any)
	if isMap && alsoMap {
		both := maps.Clone(w)
		maps.Copy(both, g)
		for _, k := range slices.Sorted(maps.Keys(both)) {
			out = append(out, apart(path+"."+k, w[k], g[k])...)
		}
		return out
	}
	ws, isList := want.([]any)
	gs, alsoList := got.([]any)
	if isList && alsoList && len(ws) == len(gs) {
		for i := range ws {
			out = append(out, apart(fmt.Sprintf("%s[%d]", path, i), ws[i], gs[i])...)
		}
		return out
	}
	if reflect.DeepEqual(want, got) {
		return nil
	}
	return []string{fmt.Sprintf("    %s: Kafka says %v, this broker %v", path, want, got)}
}
