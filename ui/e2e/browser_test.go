package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// How long a condition may take, and a tab, on a machine that is slow and busy: not a claim of speed, but the end of a hang.
const (
	waitLimit = 2 * time.Minute
	tabLimit  = 15 * time.Minute
)

var browser struct {
	once sync.Once
	ctx  context.Context //nolint:containedctx // chromedp keeps its browser in a context
	skip string
	err  error
	end  func()
}

func TestMain(m *testing.M) {
	code := m.Run()
	if browser.end != nil {
		browser.end()
	}
	os.Exit(code)
}

// chromium finds a browser, or says why not.
func chromium() (path, skip string) {
	if path = os.Getenv("TARN_CHROMIUM"); path != "" {
		return path, ""
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			return p, ""
		}
	}
	return "", "no chromium found: set TARN_CHROMIUM or apt install chromium"
}

// start opens the one browser of the package. It resolves no name: the page needs no network.
func start() {
	var path string
	if path, browser.skip = chromium(); browser.skip != "" {
		return
	}
	opts := append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...)
	opts = append(opts, chromedp.WSURLReadTimeout(waitLimit), chromedp.ExecPath(path), chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"))
	if os.Getuid() == 0 {
		opts = append(opts, chromedp.NoSandbox)
	}
	alloc, endAlloc := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, endBrowser := chromedp.NewContext(alloc)
	browser.ctx = ctx //nolint:fatcontext // made once
	browser.end = func() { endBrowser(); endAlloc() }
	browser.err = chromedp.Do(ctx, chromedp.Navigate("about:blank"))
}

// tab is one page of the browser, in storage of its own.
type tab struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // chromedp keeps its tab in a context

	mu     sync.Mutex
	errors []string
}

func open(t *testing.T) *tab {
	t.Helper()
	browser.once.Do(start)
	if browser.skip != "" {
		if os.Getenv("TARN_REQUIRE_BROWSER") == "1" {
			t.Fatal(browser.skip)
		}
		t.Skip(browser.skip)
	}
	if browser.err != nil {
		t.Fatal(browser.err)
	}
	b := &tab{t: t}
	ctx, end := chromedp.NewContext(browser.ctx, chromedp.WithNewBrowserContext())
	limited, cancel := context.WithTimeout(ctx, tabLimit)
	b.ctx = limited
	t.Cleanup(func() { cancel(); end() })
	b.do(chromedp.EmulateViewport(1280, 900), chromedp.Navigate("about:blank"))
	if err := chromedp.Listen(b.ctx, b.hear); err != nil {
		t.Fatal(err)
	}
	return b
}

// ofPace are what the browser says of a machine that is slow, and not of a page.
var ofPace = []string{"was preloaded using link preload but not used within a few seconds", "Slow network is detected"}

func (b *tab) hear(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := ev.(type) {
	case *cdplog.EventEntryAdded:
		if e.Entry.Level == "error" || e.Entry.Level == "warning" && !slices.ContainsFunc(ofPace, func(part string) bool { return strings.Contains(e.Entry.Text, part) }) {
			b.errors = append(b.errors, fmt.Sprintf("%s: %s (%s)", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	case *runtime.EventExceptionThrown:
		b.errors = append(b.errors, "exception: "+e.ExceptionDetails.Text+" "+e.ExceptionDetails.Exception.Description)
	case *runtime.EventConsoleAPICalled:
		if e.Type == "error" || e.Type == "warning" {
			b.errors = append(b.errors, fmt.Sprintf("console: %v", e.Args))
		}
	}
}

// clean fails the test for anything that the console held: errors, exceptions, and what
// the content security policy stopped. Those that hold one of allowed are let through.
func (b *tab) clean(allowed ...string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
next:
	for _, e := range b.errors {
		for _, a := range allowed {
			if strings.Contains(e, a) {
				continue next
			}
		}
		b.t.Errorf("the console holds: %s", e)
	}
}

// do does one step after the other. A live page may put a new node in the place of the one that the
// browser has just found: then the step has done nothing, and is done again.
func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	for _, step := range steps {
		err := chromedp.Do(b.ctx, step)
		for again := 0; again < 10 && err != nil && strings.Contains(err.Error(), "Could not find node with given id"); again++ {
			err = chromedp.Do(b.ctx, step)
		}
		if err != nil {
			b.t.Fatal(err)
		}
	}
}

func eval[T any](b *tab, js string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", js, err)
	}
	return v
}

// until waits for a condition of the page. While another page is on its way, what it asks for may not be there yet.
func (b *tab) until(js string) {
	b.t.Helper()
	last := ""
	for deadline := time.Now().Add(waitLimit); time.Now().Before(deadline); time.Sleep(30 * time.Millisecond) {
		why, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`(() => { try { return (`+js+`) ? "" : "false"; } catch (e) { return String(e); } })()`))
		switch {
		case b.ctx.Err() != nil:
			b.t.Fatalf("%s: %v", js, err)
		case err != nil:
			last = err.Error()
		case why == "":
			return
		default:
			last = why
		}
	}
	at := eval[string](b, `location.href + " " + document.getElementById("live")?.dataset.state + " " + document.querySelector("main")?.innerText.slice(0, 500)`)
	b.t.Fatalf("still not true: %s\nit is %s\nat %s\nthe console: %v", js, last, at, b.errors)
}

// press presses what a selector finds, as soon as a person could: it can be seen, nothing covers it, and it is not disabled. It is looked
// at and pressed at once: a live page moves what is beside it.
func (b *tab) press(selector string) {
	b.t.Helper()
	const look = `((el) => {
		el.scrollIntoView({ block: "center", behavior: "instant" });
		const box = el.getClientRects()[0];
		const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
		return !el.disabled && (el === top || el.contains(top)) ? el : null;
	})(document.querySelector(%q))`
	for deadline := time.Now().Add(waitLimit); time.Now().Before(deadline); time.Sleep(30 * time.Millisecond) {
		if eval[bool](b, fmt.Sprintf(`(() => { try { const el = `+look+`; el?.focus({ preventScroll: true }); el?.click(); return el !== null; } catch { return false; } })()`, selector)) {
			return
		}
	}
	b.t.Fatalf("nobody could press %s", selector)
}

// focus gives the focus to what a selector finds.
func (b *tab) focus(selector string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`((el) => { el.focus(); return document.activeElement === el; })(document.querySelector(%q))`, selector))
}

// visit opens a page and waits until it is live.
func (b *tab) visit(url string) {
	b.t.Helper()
	b.do(chromedp.Navigate(url))
	b.until(`document.getElementById("live")?.dataset.state === "live"`)
}

// prefers sets what the system asks for: a theme, and no motion.
func (b *tab) prefers(theme string) {
	b.t.Helper()
	_, err := chromedp.Run(b.ctx, func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}})
		return chromedp.Void{}, err
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// shot keeps a picture of the whole page in TARN_SHOTS, if that names a folder.
func (b *tab) shot(name string) {
	b.t.Helper()
	dir := os.Getenv("TARN_SHOTS")
	if dir == "" {
		return
	}
	eval[bool](b, `(scrollTo({top: 0, behavior: "instant"}), true)`)
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// ctrl holds the control key down.
var ctrl = chromedp.KeyModifiers(chromedp.ModifierCtrl)

// typed replaces the statement as a person does, by the keyboard.
func (b *tab) typed(text string) {
	b.t.Helper()
	b.focus("#text")
	eval[bool](b, `(document.getElementById("text").select(), true)`)
	b.insert(text)
}

// insert types a text at once where the caret is.
func (b *tab) insert(text string) {
	b.t.Helper()
	_, err := chromedp.Run(b.ctx, func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Call(ctx, input.InsertText, input.InsertTextParams{Text: text})
		return chromedp.Void{}, err
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// before runs a script in every page before its own.
func (b *tab) before(js string) {
	b.t.Helper()
	_, err := chromedp.Run(b.ctx, func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: js})
		return chromedp.Void{}, err
	})
	if err != nil {
		b.t.Fatal(err)
	}
}
