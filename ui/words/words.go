// Package words says the page's texts in the reader's language. English is the key of each
// text, as with gettext, and what Tarn speaks everywhere else: JSON, logs, faults.
//
// In a templ:   { say(ctx, "Topics") }   { say(ctx, "The first %d of %d", n, all) }   { many(ctx, n, "%s row", "%s rows") }
// In Go:        words.Say("%s behind", words.Millis(ms)) is a Text, which a templ shows with { in(ctx, text) }
// In a script:  import { say, many } from "./say.js"; say("Copied")
// From data:    words.Plain(name) is the same in all languages; words.State("running") is a state's word
//
// Each key is a literal, so that a test finds them all: it fails for one that is not in fr.go
// (in frjs.go for scripts), and for one there that nobody says. A twin (JSON) is always English.
package words

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Language is one that the page speaks, as in <html lang>.
type Language string

// The languages.
const (
	English Language = "en"
	French  Language = "fr"
)

// Languages are all of them, with the names that they have for themselves.
var Languages = []struct {
	Language Language
	Name     string
}{{English, "English"}, {French, "Français"}}

// Other is the one that a reader may switch to.
func (l Language) Other() (Language, string) {
	for _, o := range Languages {
		if o.Language != l {
			return o.Language, o.Name
		}
	}
	return l, ""
}

// Text is said when it is shown, for only then is it known to whom. The zero Text is empty.
type Text struct{ in func(Language) string }

// Say is a text with values in the places of its verbs. A value that is a Text is said in the same language.
func Say(key string, values ...any) Text {
	return Text{func(l Language) string { return fill(l, translated(l, key), values) }}
}

// Many is one of two texts, by a number, which is the first value of both. French has one for none.
func Many[N int | int64](n N, one, many string, values ...any) Text {
	return Text{func(l Language) string {
		key := many
		if n == 1 || n == 0 && l == French {
			key = one
		}
		return fill(l, translated(l, key), append([]any{Count(int64(n))}, values...))
	}}
}

// Plain is a text that came from data.
func Plain(text string) Text {
	if text == "" {
		return Text{}
	}
	return Text{func(Language) string { return text }}
}

// Kind is what a sort of connector says of itself or of one of its keys; one that is not known is said as it is.
func Kind(text string) Text {
	return Text{func(l Language) string {
		if said, ok := frenchKinds[text]; ok && l == French {
			return said
		}
		return text
	}}
}

// Setting is what a topic's setting is for, as embedded/bus says it; one that is not known is said as it is.
func Setting(doc string) Text {
	return Text{func(l Language) string {
		if said, ok := frenchSettings[doc]; ok && l == French {
			return said
		}
		return doc
	}}
}

// Kinds are the texts that Kind has in French.
func Kinds() map[string]string { return maps.Clone(frenchKinds) }

// State is the word for the state of a thing; one that is not known is said as it is.
func State(name string) Text {
	if name == "" {
		return Text{}
	}
	return Text{func(l Language) string {
		if word, ok := frenchStates[name]; ok && l == French {
			return word
		}
		return name
	}}
}

// Join is several texts in one, parted by sep.
func Join(sep string, parts ...Text) Text {
	parts = slices.DeleteFunc(slices.Clone(parts), Text.Empty)
	if len(parts) == 0 {
		return Text{}
	}
	return Text{func(l Language) string {
		said := make([]string, len(parts))
		for i, p := range parts {
			said[i] = p.In(l)
		}
		return strings.Join(said, sep)
	}}
}

func fill(l Language, format string, values []any) string {
	if len(values) == 0 {
		return format
	}
	said := make([]any, len(values))
	for i, v := range values {
		if t, ok := v.(Text); ok {
			v = t.In(l)
		}
		said[i] = v
	}
	return fmt.Sprintf(format, said...)
}

func translated(l Language, key string) string {
	if text, ok := french[key]; ok && l == French {
		return text
	}
	return key
}

// In is the text in a language.
func (t Text) In(l Language) string {
	if t.in == nil {
		return ""
	}
	return t.in(l)
}

// String is the text in English.
func (t Text) String() string { return t.In(English) }

// Empty tells that there is nothing to say.
func (t Text) Empty() bool { return t.in == nil }

// MarshalJSON is for the twins, which are in English.
func (t Text) MarshalJSON() ([]byte, error) { return json.Marshal(t.String()) }

// UnmarshalJSON takes what MarshalJSON gave.
func (t *Text) UnmarshalJSON(b []byte) error {
	var text string
	err := json.Unmarshal(b, &text)
	*t = Plain(text)
	return err
}

// Scripts are the texts of scripts in a language, by their English, as JSON; empty for English.
func Scripts(l Language) string {
	if l != French {
		return ""
	}
	text, _ := json.Marshal(frenchScripts) // plain strings: it cannot fail
	return string(text)
}

type key struct{}

// With gives a context the language of its reader.
func With(ctx context.Context, l Language) context.Context { return context.WithValue(ctx, key{}, l) }

// From is the language of a context's reader; English if nobody said.
func From(ctx context.Context) Language {
	if l, ok := ctx.Value(key{}).(Language); ok {
		return l
	}
	return English
}

// The choice of a reader.
const (
	parameter  = "lang" // in the address, for this page and those after it
	cookieName = "tarn_lang"
	cookieAge  = 365 * 24 * time.Hour
	acceptMax  = 20 // languages of one Accept-Language that are looked at
)

// Choose is the language that a request asks for: by ?lang=, by the cookie of Keep, or by what
// the browser accepts.
func Choose(r *http.Request) Language {
	if l, ok := known(r.URL.Query().Get(parameter)); ok {
		return l
	}
	if c, err := r.Cookie(cookieName); err == nil {
		if l, ok := known(c.Value); ok {
			return l
		}
	}
	return accepted(r.Header.Get("Accept-Language"))
}

// Keep lets the pages after this one have the language that ?lang= asks for.
func Keep(w http.ResponseWriter, r *http.Request) {
	if l, ok := known(r.URL.Query().Get(parameter)); ok {
		http.SetCookie(w, &http.Cookie{Name: cookieName, Value: string(l), Path: "/", MaxAge: int(cookieAge.Seconds()), SameSite: http.SameSiteLaxMode}) //nolint:gosec // no secret: settings.js reads it
	}
}

func known(name string) (Language, bool) {
	for _, l := range Languages {
		if string(l.Language) == name {
			return l.Language, true
		}
	}
	return English, false
}

// accepted is the language that a browser likes best of those that the page speaks.
func accepted(header string) Language {
	best, most := English, 0.0
	for i, part := range strings.Split(header, ",") {
		if i == acceptMax {
			break
		}
		tag, weight, _ := strings.Cut(part, ";")
		name, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
		l, ok := known(name)
		q := 1.0
		if text, has := strings.CutPrefix(strings.TrimSpace(weight), "q="); has {
			q, _ = strconv.ParseFloat(text, 64) // what is no number weighs nothing
		}
		if ok && q > most {
			best, most = l, q
		}
	}
	return best
}
