package connect_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// call is one recorded call: what Kafka Connect 4.1.1 answered with Debezium 3.5.0 loaded.
type call struct {
	Method   string          `json:"method"`
	Path     string          `json:"path"`
	Body     json.RawMessage `json:"body"`
	Status   int             `json:"status"`
	Response any             `json:"response"`
}

// otherwise are the differences that docs/compat/connect.md explains: by path of the call and, behind it, the path within the answer.
var otherwise = []string{
	`GET / commit`,                // Tarn tells its own version
	`GET /connector-plugins \[.*`, // other plugins
	`POST /connectors message: Failed to find any class that implements Connector and which name matches NoSuch, available connectors are: PluginDesc\{klass=class .*`, // which it lists
	`GET /admin/loggers/root (level|last_modified)`,                          // the level of Tarn's log
	`PUT .*/config/validate configs\[(5|7|9)\]\.value\.recommended_values.*`, // the converters that Tarn has
}

// TestRecordedCalls makes the calls of testdata/connect-rest.jsonl and compares what is answered.
func TestRecordedCalls(t *testing.T) {
	h := newHouse(t)
	text, err := os.ReadFile("testdata/connect-rest.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.ReplaceAll(text, []byte("@PG_PORT@"), []byte("5432"))
	for line := range bytes.Lines(text) {
		var golden call
		if err := json.Unmarshal(line, &golden); err != nil {
			t.Fatal(err)
		}
		name := golden.Method + " " + golden.Path
		status, answer := h.call(golden.Method, golden.Path, golden.Body)
		if status != golden.Status {
			t.Errorf("%s: status %d, want %d: %v", name, status, golden.Status, answer)
		}
		for _, d := range differences("", mask(answer, h.address), golden.Response) {
			if !slices.ContainsFunc(otherwise, func(p string) bool { return regexp.MustCompile("^(?:" + p + ")$").MatchString(name + " " + d.at) }) &&
				!slices.ContainsFunc(otherwise, func(p string) bool {
					return regexp.MustCompile("^(?:" + p + ")$").MatchString(name + " " + d.at + ": " + fmt.Sprint(d.got))
				}) {
				t.Errorf("%s: %s is %v, want %v", name, d.at, d.got, d.want)
			}
		}
		// What goes on in the background is waited for where the recording did.
		if strings.HasPrefix(golden.Path, "/connectors") && golden.Method != "GET" && status < 300 {
			switch {
			case golden.Method == "DELETE", strings.HasSuffix(golden.Path, "/stop"), strings.HasSuffix(golden.Path, "/pause"):
			default:
				h.until("running", func() bool { return h.runs("port-pg") })
			}
		}
	}
}

// mask is an answer with what differs from run to run replaced as in the recording.
func mask(v any, address string) any {
	text, _ := json.Marshal(v)
	text = bytes.ReplaceAll(text, []byte(address), []byte("@WORKER@"))
	text = regexp.MustCompile(`("kafka_cluster_id":")[^"]*`).ReplaceAll(text, []byte("${1}@CLUSTER@"))
	var out any
	_ = json.Unmarshal(text, &out)
	return out
}

type difference struct {
	at        string
	got, want any
}

// differences walks through two answers. Topics are a set, which Connect lists in the order of its hash.
func differences(at string, got, want any) (out []difference) {
	switch w := want.(type) {
	case map[string]any:
		g, same := got.(map[string]any)
		if !same {
			return []difference{{at, got, want}}
		}
		for key := range w {
			out = append(out, differences(strings.TrimPrefix(at+"."+key, "."), g[key], w[key])...)
		}
		delete(g, "documentation") // what a key does in Tarn
		for key := range g {
			if _, there := w[key]; !there {
				out = append(out, difference{strings.TrimPrefix(at+"."+key, "."), g[key], nil})
			}
		}
	case []any:
		g, same := got.([]any)
		if !same || len(g) != len(w) {
			return []difference{{at + "[]", got, want}}
		}
		if strings.HasSuffix(at, ".topics") {
			order := func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) }
			slices.SortFunc(g, order)
			slices.SortFunc(w, order)
		}
		for i := range w {
			out = append(out, differences(fmt.Sprintf("%s[%d]", at, i), g[i], w[i])...)
		}
	default:
		if !reflect.DeepEqual(got, want) {
			out = []difference{{at, got, want}}
		}
	}
	return out
}
