package archtest

import (
	"go/ast"
	"go/importer"
	"go/token"
	"go/types"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoMapOrder forbids `range` over a map in the packages whose output must
// be the same on every run, but where the line says why order does not matter:
//
//	for k := range m { // order-free: counts only
func TestNoMapOrder(t *testing.T) {
	for _, dir := range []string{"runtime/core", "runtime/alloc", "runtime/service", "runtime/job", "resolver"} {
		checkMapOrder(t, dir)
	}
}

func checkMapOrder(t *testing.T, dir string) {
	var files []*ast.File
	var own []source
	for _, s := range sources(t) {
		if !isTest(s.path) && filepath.ToSlash(filepath.Dir(s.path)) == dir {
			files, own = append(files, s.file), append(own, s)
		}
	}
	if len(files) == 0 {
		t.Errorf("%s has no files: the rule would pass on nothing", dir)
		return
	}
	fset := own[0].fset
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	conf := types.Config{Importer: importer.ForCompiler(fset, "source", nil)}
	if _, err := conf.Check(module+"/"+dir, fset, files, info); err != nil {
		t.Errorf("%s: %v", dir, err)
		return
	}
	for _, s := range own {
		free := orderFree(s)
		ast.Inspect(s.file, func(n ast.Node) bool {
			r, ok := n.(*ast.RangeStmt)
			if !ok {
				return true
			}
			if typ := info.TypeOf(r.X); typ != nil {
				if _, isMap := typ.Underlying().(*types.Map); isMap && !free[s.line(r.Pos())] {
					t.Errorf("%s:%d: range over a map: sort its keys, or say `// order-free: why`", s.path, s.line(r.Pos()))
				}
			}
			return true
		})
	}
}

// orderFree gives the lines that carry the mark.
func orderFree(s source) map[int]bool {
	lines := map[int]bool{}
	for _, g := range s.file.Comments {
		for _, c := range g.List {
			if strings.Contains(c.Text, "order-free:") {
				lines[s.line(token.Pos(c.Pos()))] = true
				lines[s.line(c.Pos())+1] = true
			}
		}
	}
	return lines
}
