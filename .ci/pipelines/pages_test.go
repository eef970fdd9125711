//go:build duckdb_arrow

package pipelines_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/life"
	"tarn/embedded/record/schemas"
	"tarn/ingest"
	"tarn/sql/engine"
	"tarn/ui"
	"tarn/ui/uitest"
	"tarn/ui/words"
)

// TestEveryKindHasFrench: what connectors say of themselves and their keys, in the form of the page Sources.
func TestEveryKindHasFrench(t *testing.T) {
	french := words.Kinds()
	said := map[string]bool{}
	for _, k := range ingest.Kinds() {
		said[k.Title] = true
		for _, f := range k.Fields {
			said[f.Doc] = true
		}
	}
	for text := range said {
		if french[text] == "" {
			t.Errorf("no French for %q", text)
		}
	}
	for text := range french {
		if !said[text] {
			t.Errorf("no connector says %q", text)
		}
	}
}

// TestStatementsOfPagesAreSQL: every statement that a page carries, to be run or copied, is one that the engine reads, also where names are
// hostile. What it is about may not be there.
func TestStatementsOfPagesAreSQL(t *testing.T) {
	s := newSite(t)
	room := ingest.New(ingest.Options{Bus: s.bus, Meta: s.meta, Schemas: schemas.New(s.meta), Clock: life.SystemClock{}, Log: slog.New(slog.DiscardHandler)})
	for _, c := range room.Commands() {
		s.gate.Register(engine.Answering(c.Verbs, c.Run))
	}
	port, hostile := uitest.Port(time.Now()), uitest.HostileNames(time.Now())
	port.Trouble()
	port.AddPipelines(time.Now())
	run := map[string]bool{}
	for name, feed := range map[string]*uitest.Feed{"port": port, "hostile": hostile, "empty": {}} {
		found := statements(s, feed)
		t.Logf("%s: %d statements", name, len(found))
		if len(found) < map[string]int{"port": 100, "hostile": 60, "empty": 10}[name] {
			t.Errorf("the pages of %s carry %d statements alone", name, len(found))
		}
		for statement, where := range found {
			if run[statement] || statement == uitest.Hostile { // which is in the place of a pipeline's own statement
				continue
			}
			run[statement] = true
			r, err := s.gate.Run(s.ctx, engine.Request{Text: statement, Principal: guard.Principal{User: "tarn"}})
			if err == nil {
				r.Close()
			}
			if f, ok := errors.AsType[*fault.Error](err); ok && (f.Code == fault.Syntax || f.Code == fault.Internal) || err != nil && !ok {
				t.Errorf("%s: %s\n%v", where, statement, err)
			}
		}
	}
}

// carriers are the attributes that hold a statement, and nothing else.
var carriers = []string{"data-sql", "data-run", "data-fill", "data-query", "data-ticks", "data-late", "data-dead", "data-steps", "data-with", "data-without"}

// copied finds the statement in what is copied for a shell.
var copied = regexp.MustCompile(`(?s)^(?:tarn sql|curl .*/api/sql --data-raw) '(.*)'$`)

var verb = regexp.MustCompile(`^(SELECT|FROM|SHOW|DESCRIBE|EXPLAIN|CREATE|ALTER|DROP|INSERT|PAUSE|RESUME)\b`)

// statements are those of all pages that links lead to, each with the first page that has it.
func statements(s *site, feed *uitest.Feed) map[string]string {
	s.Helper()
	u := ui.New(ui.Options{
		Parts: feed.Parts, Sources: feed.Sources, Kinds: ingest.Kinds(), Topics: feed.Topics, Landings: feed.Landings, Pipelines: feed.Pipelines,
		Catalog: feed.Catalog(), Ports: feed.Ports, Project: "/srv/project", Clock: life.SystemClock{}, Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(s.ctx)
	ended := make(chan error, 1)
	go func() { ended <- u.Run(ctx, func() {}) }()
	defer func() { cancel(); s.must(<-ended) }()
	get := func(path string) string {
		r := httptest.NewRecorder()
		u.Handler().ServeHTTP(r, httptest.NewRequestWithContext(s.ctx, http.MethodGet, path, nil))
		return r.Body.String()
	}
	s.wait(func() (bool, string) { // until it has looked at everything
		feed.Lock()
		defer feed.Unlock()
		return feed.CatalogRead > 1, "the catalog is not read"
	})
	found := map[string]string{}
	paths := []string{"/"}
	const pagesMax = 150
	for i := 0; i < len(paths) && i < pagesMax; i++ {
		z := html.NewTokenizer(strings.NewReader(get(paths[i])))
		for kind := z.Next(); kind != html.ErrorToken; kind = z.Next() {
			for _, a := range z.Token().Attr {
				next := ""
				switch m := copied.FindStringSubmatch(a.Val); {
				case slices.Contains(carriers, a.Key) && a.Val != "":
					found[a.Val] = paths[i] + " " + a.Key
				case a.Key == "data-copy" && m != nil:
					found[strings.ReplaceAll(m[1], `'\''`, "'")] = paths[i] + " " + a.Key
				case a.Key == "data-copy" && verb.MatchString(a.Val):
					found[a.Val] = paths[i] + " " + a.Key
				case a.Key == "data-node":
					next = "/facts?node=" + url.QueryEscape(a.Val)
				case a.Key == "href" && strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "/assets") && !strings.HasPrefix(a.Val, "/api"):
					next, _, _ = strings.Cut(a.Val, "#")
				}
				if next != "" && !slices.Contains(paths, next) {
					paths = append(paths, next)
				}
			}
		}
	}
	return found
}
