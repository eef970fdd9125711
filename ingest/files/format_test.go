package files_test

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestCSV(t *testing.T) {
	r := newRig(t, "format", "csv", "columns", "eta: timestamp, fee: decimal(6,2),seal:string")
	write(t, r.path("a.csv"), "\xef\xbb\xbfship,teu,draft,hot,seal,eta,fee\r\n"+
		"\"Al \"\"Idrissi\"\"\r\nII\",12,7.5,true,0042,2026-11-29 08:00,12.50\r\n"+
		"Larache,,9,false,,,\r\n")
	r.until(
		`a.csv:2={"ship":"Al \"Idrissi\"\r\nII","teu":12,"draft":7.5,"hot":true,"seal":"0042","eta":"2026-11-29T08:00:00Z","fee":"12.50"}`,
		`a.csv:4={"ship":"Larache","teu":null,"draft":9,"hot":false,"seal":"","eta":null,"fee":null}`)

	// What comes later has the kinds that the first rows told; another cell stays a text, and a declared one is a dead letter.
	r.stop()
	r.start()
	write(t, r.path("a.csv"), "Ifni,many,8,true,1,,1\r\nIfni,1,1,true,1,,1.234\r\nshort,1\r\nx\"y,1,1,true,,,\r\nTiznit,1,1,true,,,\r\n")
	r.await(func() bool { return len(r.values()) == 4 }, func() any { return r.values() })
	if got := r.values()[2:]; !slices.Equal(got, []string{
		`a.csv:5={"ship":"Ifni","teu":"many","draft":8,"hot":true,"seal":"1","eta":null,"fee":"1"}`,
		`a.csv:9={"ship":"Tiznit","teu":1,"draft":1,"hot":true,"seal":"","eta":null,"fee":null}`,
	}) {
		t.Fatalf("got %q", got)
	}
	if got := r.letters(); !slices.Equal(got, []string{
		`a.csv:6=Ifni,1,1,true,1,,1.234: column fee: "1.234" is no decimal(6,2)`,
		`a.csv:7=short,1: 2 cells, want 7`,
		`a.csv:8=x"y,1,1,true,,,: a quote within a cell that does not begin with one`,
	}) {
		t.Fatalf("got %q", got)
	}
	r.await(func() bool { return r.runner.Status().Dead == 3 }, func() any { return r.runner.Status() })
}

// TestCSVThatGrows: nothing but the names, then half a row, then the rest of it.
func TestCSVThatGrows(t *testing.T) {
	r := newRig(t, "format", "csv", "tail", "true", "csv.delimiter", ";", "quiet.ms", "3000000")
	write(t, r.path("a.csv"), "n;te")
	write(t, r.path("b.csv"), "n\n1\n")
	r.until(`b.csv:2={"n":1}`)
	write(t, r.path("a.csv"), "xt\n")
	write(t, r.path("b.csv"), "2\n")
	r.until(`b.csv:2={"n":1}`, `b.csv:3={"n":2}`)
	write(t, r.path("a.csv"), "1;\"half\n")
	write(t, r.path("b.csv"), "3\n")
	r.until(`b.csv:2={"n":1}`, `b.csv:3={"n":2}`, `b.csv:4={"n":3}`)
	write(t, r.path("a.csv"), "whole\"\n")
	r.until(`b.csv:2={"n":1}`, `b.csv:3={"n":2}`, `b.csv:4={"n":3}`, `a.csv:2={"n":1,"text":"half\nwhole"}`)
}

// TestCSVWithAWrongHeadIsNotRead: nobody would know what its rows mean.
func TestCSVWithAWrongHeadIsNotRead(t *testing.T) {
	r := newRig(t, "format", "csv")
	write(t, r.path("a.csv"), "n,n\n1,2\n")
	r.finds("column 2 has the name")
	if err := os.Remove(r.path("a.csv")); err != nil {
		t.Fatal(err)
	}
	write(t, r.path("a.csv"), "n,m\n1,2\n")
	r.until(`a.csv:2={"n":1,"m":2}`)
}

func TestCombinedLog(t *testing.T) {
	r := newRig(t, "format", "combined", "tail", "true")
	write(t, r.path("access.log"), `10.0.0.9 - amina [29/Nov/2026:09:00:00 +0100] "GET /gate/4?x=1 HTTP/1.1" 200 2326 "http://port.example/" "Gate \"4\" reader"`+"\n"+
		`::1 - - [29/Nov/2026:09:00:01 +0100] "-" 408 - "-" "-"`+"\nnonsense\n")
	r.until(
		`access.log:1={"host":"10.0.0.9","ident":null,"user":"amina","time":"2026-11-29T08:00:00Z","method":"GET","path":"/gate/4?x=1","protocol":"HTTP/1.1","request":null,"status":200,"bytes":2326,"referer":"http://port.example/","agent":"Gate \\\"4\\\" reader"}`,
		`access.log:2={"host":"::1","ident":null,"user":null,"time":"2026-11-29T08:00:01Z","method":null,"path":null,"protocol":null,"request":null,"status":408,"bytes":null,"referer":null,"agent":null}`)
	if got := r.letters(); len(got) != 1 || got[0] != "access.log:3=nonsense: the line does not match the pattern" {
		t.Fatalf("got %q", got)
	}
}

func TestAPatternOfOnesOwn(t *testing.T) {
	r := newRig(t, "format", "regex", "pattern", `^(?P<gate>\S+) (?P<in>\d+)/(?P<out>\d*)$`, "columns", "in:int,out:int")
	write(t, r.path("gate.log"), "north 4/2\nsouth 5/\n\n")
	r.until(`gate.log:1={"gate":"north","in":4,"out":2}`, `gate.log:2={"gate":"south","in":5,"out":null}`)
}

func TestAConfigurationThatMeansNothingIsRefused(t *testing.T) {
	for name, keys := range map[string][]string{
		"format is":                    {"format", "xml"},
		"is missing":                   {"files.path", ""},
		"topic is":                     {"topic", "tarn.commits"},
		"has the pattern":              {"files.include", "../*"},
		`has "money" for column "fee"`: {"columns", "fee:money"},
		"for column \"a\"":             {"columns", "a:decimal(40,2)"},
		"behind a type":                {"columns", "a:decimal(4,2)x,b:long"},
		"csv.delimiter is":             {"csv.delimiter", ";;"},
		"no group with a name":         {"format", "regex", "pattern", "(a)"},
		"pattern error parsing":        {"format", "regex", "pattern", "("},
		"quiet.ms is":                  {"quiet.ms", "0"},
		"tail is":                      {"tail", "maybe"},
	} {
		found := kindCheck(t, config(t.TempDir(), keys...))
		if len(found) != 1 || !found[0].Fatal || found[0].Hint == "" || !strings.Contains(found[0].Message, name) {
			t.Errorf("%s: got %+v", name, found)
		}
	}
}
