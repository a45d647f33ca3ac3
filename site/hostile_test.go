package site

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/catalog/plan"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service"
)

const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>'`

const evilReadme = `# ` + evil + `

<script>alert(1)</script><style>body{display:none}</style><svg onload=alert(1)><foreignObject><iframe src="https://evil.example/"></iframe></foreignObject></svg>

[click](javascript:alert(1)) [click](JaVaScRiPt:alert(1)) [click](data:text/html,<script>1</script>) [click](vbscript:x) <javascript:alert(1)>
[root](/services) [up](../../services) [host](//evil.example/) [ref] [frag](#live) [q](?q=x) [empty]()

![x](javascript:alert(1)) ![](https://evil.example/pixel.png) ![svg](data:image/svg+xml;base64,PHN2Zz4=) [![badge](https://evil.example/b.svg)](https://evil.example/)
[![](https://evil.example/b.svg)](https://evil.example/)

<a href="https://evil.example/" onclick="alert(1)" style="position:fixed;inset:0">x</a>
<h2 id="live">x</h2> <form action="https://evil.example/"><input name=password></form>

[ref]: javascript:alert(1)

##### live

## Live {#live onclick=alert(1)}

| a |
|:-:|
| <img src=x onerror=alert(1)> |

` + "```\"onmouseover=alert(1)\n</code></pre><script>alert(1)</script>\n```\n"

// hostile is a package and a cluster that attack whoever looks at them.
func hostile() (*fakeCatalog, *fakeCluster) {
	m := catalog.Metadata{Name: "spark", Version: mustVersion("1.0.0"), AppVersion: evil, Summary: evil, Description: evil, Keywords: []string{evil},
		Licenses: []string{evil}, Home: "javascript:alert(1)", Icon: evil, Maintainers: []catalog.Maintainer{{Name: evil, Email: evil}},
		Requires: []catalog.Requirement{{Name: evil}}}
	schema, _ := json.Marshal(map[string]any{"properties": map[string]any{ // a map of text always encodes
		evil: map[string]any{"type": evil, "title": evil, "description": evil, "default": evil, "enum": []string{evil},
			"properties": map[string]any{evil: map[string]any{"type": []string{evil}, "default": evil, "description": evil}}}}})
	d := catalog.Detail{Package: m, Digest: evil, Repository: evil, Images: []catalog.Image{{Name: evil}}, Readme: evilReadme, Changelog: evilReadme, Schema: schema,
		Actions:  []catalog.Action{{Name: evil, Summary: evil, Args: []catalog.Arg{{Name: evil}}}},
		Versions: []catalog.VersionInfo{{Version: "1.0.0", Unavailable: evil}, {Version: evil}}}
	other := d
	other.Package.Name, other.Package.Home, other.Readme = "bare", "https://evil.example/?"+evil, ""
	svc := deploying()
	svc.Package, svc.Version = "spark", evil
	in := &svc.Pods[1].Instances[0]
	in.Name, in.Hostname, in.Host, in.WhyText, in.Ports = evil, evil, evil, evil, map[string]uint16{evil: 1}
	in.Tasks = []service.TaskBrief{{Task: evil, Message: evil}}
	svc.Endpoints = []service.EndpointStatus{{Name: evil, Scheme: "javascript", Addresses: []service.EndpointAddress{{Host: evil, Instance: evil}}},
		{Name: "x", Scheme: "http", Addresses: []service.EndpointAddress{{Host: `evil.example/"onclick="alert(1)`}}}}
	cat := &fakeCatalog{packages: []catalog.Detail{d, other}, installed: []plan.Installation{{ID: "spark", Package: "spark", Version: evil}}, near: []string{"spark"}}
	return cat, &fakeCluster{list: []service.Status{svc}, agents: []core.Agent{{Info: cluster.Agent{ID: evil, Host: evil, Hostname: evil}, State: evil}}}
}

func TestHostile(t *testing.T) {
	h := newSite(t, hostile)
	for _, target := range []string{"/", "/?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E", "/?q=%ff%fe", "/packages/spark?version=1.0.0", "/packages/bare?version=1.0.0",
		"/services", "/services/spark", "/nodes", "/%3Cscript%3Ealert(1)%3C/script%3E", "/packages/%22onclick=alert(1)", "/?page=%3Cscript%3E"} {
		rec := get(t, h, target)
		if strings.Contains(rec.Body.String(), "<script>alert") {
			t.Errorf("%s: carries the script", target)
		}
		doc := document(t, rec)
		checkInline(t, target, doc)
		checkHeadings(t, target, doc)
		checkNames(t, target, doc)
		for _, n := range elements(doc, "a") {
			to := attr(n, "href")
			if strings.HasPrefix(to, "#") && byID(doc, to[1:]) == nil && !strings.HasPrefix(to, "#readme-") && !strings.HasPrefix(to, "#changes-") {
				t.Errorf("%s: a link to %s reaches into our page", target, to)
			}
			if inside(n, "prose") && strings.HasPrefix(to, "http") && !strings.Contains(attr(n, "rel"), "nofollow") {
				t.Errorf("%s: the package's link %s has our blessing", target, to)
			}
			if inside(n, "prose") && !strings.HasPrefix(to, "https://evil.example/") && !strings.HasPrefix(to, "#") {
				t.Errorf("%s: the package's link leads to %q", target, to)
			}
		}
		for _, n := range elements(doc, "form") {
			if attr(n, "action") != "/" {
				t.Errorf("%s: a form sends to %s", target, attr(n, "action"))
			}
		}
	}
}
