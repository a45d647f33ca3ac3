// Package client is the Go client of the catalog's API (catalog/api), for the
// command line, the site and programs.
//
// Errors of the API come back as the same *problem.Error that the server had,
// so a caller asks problem.Is and prints its hint. An API that cannot be
// reached is of class problem.Unavailable.
//
//	c := client.New("http://127.0.0.1:8080", nil)
//	p, err := c.Plan(ctx, plan.Request{Package: "spark"})
//	p, err = c.Install(ctx, p.Request, p.Digest)
package client
