package e2e_test

import (
	"errors"
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"tarn/lake/catalog"
	"tarn/lake/table"
	"tarn/ui/uitest"
)

const (
	cared     = `document.querySelector('[data-v="u.cared"]')`
	firstName = `document.querySelector(".list tbody .name").textContent`
)

func TestTablesAreSortedAndFound(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.visit(s.url + "lake")
	b.until(cared)
	row := `[...document.querySelectorAll(".list tbody tr")].find((tr) => tr.textContent.includes("silver.moves"))`
	if got := eval[string](b, row+`.querySelector(".upkeep").textContent.trim()`); got != "compact 20% of its rows are deleted" {
		t.Errorf("upkeep is %q", got)
	}
	before := eval[string](b, row+`.textContent`)
	b.until(row + `.textContent !== ` + fmt.Sprintf("%q", before)) // its rows move

	if got := eval[string](b, row+`.querySelector('[data-v$=".commit"]').textContent`); !regexp.MustCompile(`^\d\d:\d\d:\d\d$`).MatchString(got) {
		t.Errorf("it was committed at %q", got)
	}
	b.press(`[data-go="sort:orphans"]`)
	b.until(firstName + ` === "silver.moves" && location.search === "?sort=orphans"`)
	if got := eval[string](b, `document.querySelector('th[aria-sort="descending"]').textContent + document.activeElement.dataset.go`); got != "Orphanssort:orphans" {
		t.Errorf("sorted, and focus, are at %q", got)
	}
	b.do(chromedp.KeyEvent("/"))
	b.until(`document.activeElement.id === "find"`)
	eval[bool](b, `(document.activeElement.select(), true)`) // chromedp sends the character even so
	b.do(chromedp.KeyEvent("BRONZE"))
	b.until(`document.querySelectorAll(".list tbody tr").length === 4`)
	b.do(chromedp.KeyEvent("x"))
	b.until(`document.querySelector(".lake .nothing")?.textContent.includes("“BRONZEx”")`)
	b.do(chromedp.KeyEvent(kb.Escape)) // a search field's own key
	b.until(`document.querySelectorAll(".list tbody tr").length === 8`)

	b.focus(`.list a[title="silver.calls"]`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.arrives(`location.pathname === "/lake/silver.calls" && document.querySelectorAll(".columns-list tbody tr").length === 6`)
	b.do(chromedp.NavigateBack())
	b.arrives(`location.search === "?sort=orphans" && ` + firstName + ` === "silver.moves"`)
	b.press(`nav a[href="/"]`)
	b.until(`document.querySelectorAll(".node").length === 15`)
	b.clean()
}

// lakeLooks are the states of the page of tables.
var lakeLooks = map[string]func() *uitest.Feed{
	"port": looks["port"],
	"damage": func() *uitest.Feed {
		f := uitest.Port(time.Now())
		f.Damage()
		f.HealthErr = errors.New("read manifests: permission denied")
		return f
	},
	"many": func() *uitest.Feed {
		f := uitest.Port(time.Now())
		for i := range 40 {
			id := table.Ident{Namespace: []string{"bronze", "silver", "system", "lab"}[i%4], Name: fmt.Sprintf("a_table_with_a_rather_long_name_%d", i)}
			f.StatsNow = append(f.StatsNow, catalog.Stats{Ident: id, Rows: int64(i * i * 1_000_003), Files: int64(i * 13), Bytes: int64(i*i) * 48_000_000_000})
			f.HealthNow = append(f.HealthNow, catalog.Health{
				Ident: id, SmallFiles: int64(i * 7), Rows: 1000, Deleted: int64(i), Snapshots: 61, OrphanFiles: int64(i), OrphanBytes: int64(i) << 30,
				Action: []catalog.Action{"", catalog.ExpireSnapshots, "", "", catalog.RemoveOrphanFiles}[i%5], Reason: []string{"", "61 snapshots, 50 are kept", "", "", "orphans of 39 GB"}[i%5],
			})
		}
		return f
	},
	"empty":   looks["empty"],
	"hostile": func() *uitest.Feed { return uitest.HostileNames(time.Now()) },
}

func TestTablesAccessibleInBothThemes(t *testing.T) {
	for name, feed := range lakeLooks {
		s := serve(t, feed(), "127.0.0.1:0")
		for _, theme := range []string{"dark", "light"} {
			t.Run(name+" "+theme, func(t *testing.T) {
				b := open(t)
				b.prefers(theme)
				b.visit(s.url + "lake")
				switch name {
				case "empty":
					b.until(`document.querySelector(".lake .empty")`)
				case "damage":
					b.until(`document.querySelector(".problem")?.textContent.includes("permission denied")`)
				default:
					b.until(cared)
				}
				if got := eval[string](b, `document.title + document.querySelectorAll("main img, main script, main iframe").length`); got != "Tables · Tarn0" {
					t.Errorf("something became HTML: %s", got)
				}
				b.shot("lake-" + name + "-" + theme)
				b.accessible()
				b.clean()
			})
		}
	}
}

func TestTablesDoNotScrollSideways(t *testing.T) {
	for name, feed := range lakeLooks {
		s := serve(t, feed(), "127.0.0.1:0")
		b := open(t)
		b.prefers("dark")
		b.visit(s.url + "lake")
		b.until(`document.querySelector(".list, .lake .empty")`)
		for _, width := range []int64{390, 800, 1280} {
			b.do(chromedp.EmulateViewport(width, 844))
			b.fits(name, width)
			b.shot(fmt.Sprintf("lake-%s-%d", name, width))
		}
		b.clean()
	}
}
