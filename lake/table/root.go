package table

import (
	"net/url"
	"path/filepath"
	"strings"

	"tarn/embedded/fault"
)

// scheme is what a URI of the local warehouse begins with. The path behind it is
// verbatim, as PyIceberg and Hadoop write it: no percent escapes.
const scheme = "file://"

// refused are characters of a warehouse's folder that a URI, or a list of files in
// SQL, reads as something else.
const refused = "%?#*[]\n\r"

// Root is where a warehouse lies: the one place that turns Iceberg's absolute URIs
// into paths and back. Nobody else joins or cuts paths, so that a warehouse can move or
// become a prefix of an object store here.
type Root struct{ dir string }

// NewRoot is the warehouse in a folder.
func NewRoot(dir string) (Root, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Root{}, err
	}
	if strings.ContainsAny(abs, refused) {
		return Root{}, fault.New(fault.Invalid, "place the warehouse in "+abs,
			"choose a data folder whose path has none of % ? # * [ ] and no line break: Iceberg metadata holds it as a URI")
	}
	return Root{dir: abs}, nil
}

// Dir is the warehouse's folder.
func (r Root) Dir() string { return r.dir }

// Prefix is what stands before a native path to make it a URI.
func (r Root) Prefix() string { return scheme }

// URI names a path in metadata.
func (r Root) URI(path string) string { return scheme + path }

// Plain tells whether URIs into the warehouse look the same with and without percent
// escapes. Where they do not (a blank, an é), iceberg-go escapes the names of
// metadata, and engines that take URIs verbatim, such as PyIceberg, do not find it.
func (r Root) Plain() bool { return (&url.URL{Path: r.dir}).EscapedPath() == r.dir }

// TableURI is the location of a table or view of Tarn's: <warehouse>/<namespace>/<name>.
func (r Root) TableURI(id Ident) string {
	return r.URI(filepath.Join(r.dir, id.Namespace, id.Name))
}

// OwnURI is a location for a table or view whose TableURI is another one's. No name has the dot in it.
func (r Root) OwnURI(id Ident, part string) string { return r.TableURI(id) + "." + part }

// NameIn is the name that the folder of a table tells, in which ever of the two ways.
func (r Root) NameIn(dir string) Ident {
	name, _, _ := strings.Cut(filepath.Base(dir), ".")
	return Ident{strings.TrimSuffix(filepath.Base(filepath.Dir(dir)), ".db"), name}
}

// Path is the native path of a URI of metadata. A URI that points out of the
// warehouse, or at another kind of store, is a fault.
func (r Root) Path(uri string) (string, error) {
	path := uri
	for _, prefix := range []string{"file://localhost/", "file:///", "file:/"} {
		if rest, ok := strings.CutPrefix(uri, prefix); ok {
			path = "/" + rest
			break
		}
	}
	if strings.Contains(path, "%") { // iceberg-go escapes; a path of ours has no %
		if plain, err := url.PathUnescape(path); err == nil {
			path = plain
		}
	}
	clean := filepath.Clean(path)
	if !filepath.IsAbs(path) || (clean != r.dir && !strings.HasPrefix(clean, r.dir+string(filepath.Separator))) {
		return "", fault.Newf(fault.Invalid, "move the table's files under "+r.dir+" and register it again",
			"%q lies outside the warehouse", uri)
	}
	return clean, nil
}
