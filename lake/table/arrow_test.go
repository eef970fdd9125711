package table_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/lake/table"
)

func TestArrowSchemaCarriesFieldIDs(t *testing.T) {
	s := table.ArrowSchema([]table.Column{
		{ID: 1, Name: "id", Type: record.Long, Required: true, Key: true},
		{ID: 7, Name: "price", Type: table.DecimalType(10, 2)},
		{Name: "new", Type: record.TimestampTZ},
	})
	id, _ := s.Field(1).Metadata.GetValue(table.FieldIDKey)
	if id != "7" || s.Field(0).Nullable || !s.Field(2).Nullable || s.Field(2).HasMetadata() {
		t.Fatalf("schema %v", s)
	}
	if d, ok := s.Field(1).Type.(*arrow.Decimal128Type); !ok || d.Precision != 10 || d.Scale != 2 {
		t.Fatalf("decimal is %v", s.Field(1).Type)
	}
}

func TestDecimal(t *testing.T) {
	for text, want := range map[record.Type][3]int{
		"decimal(10,2)": {10, 2, 1}, "decimal(38, 38)": {38, 38, 1}, "decimal(9,0)": {9, 0, 1},
		"decimal(39,0)": {}, "decimal(5,6)": {}, "decimal(5)": {}, "decimal(a,b)": {}, "long": {}, "decimal(5,2": {},
	} {
		p, s, ok := table.Decimal(text)
		if ok != (want[2] == 1) || p != want[0] || s != want[1] {
			t.Errorf("%s: %d %d %v", text, p, s, ok)
		}
	}
}

func TestRootPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ware house")
	root, err := table.NewRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	in := filepath.Join(dir, "bronze", "x", "a.parquet")
	for _, uri := range []string{root.URI(in), strings.ReplaceAll(root.URI(in), " ", "%20"), "file:" + in, "file://localhost" + in, in} {
		if got, err := root.Path(uri); err != nil || got != in {
			t.Errorf("%s: %q, %v", uri, got, err)
		}
	}
	for _, uri := range []string{"s3://b/x", "file:///etc/passwd", root.URI(dir + "/../x"), root.URI(dir + "x"), root.URI(dir + "/%2e%2e/x"), "file://host" + in, ""} {
		if got, err := root.Path(uri); err == nil {
			t.Errorf("%s is let through as %q", uri, got)
		}
	}
	var f *fault.Error
	if _, err := table.NewRoot("/a%20b"); !errors.As(err, &f) || f.Hint == "" {
		t.Errorf("a folder with an escape: %v", err)
	}
}
