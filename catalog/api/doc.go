// Package api serves the catalog over HTTP under /v1: packages, plans and
// installations. Answers are JSON, errors RFC 9457 problem documents. Every
// handler has the principal of the request and asks one authorizer before it
// does anything; bodies are bounded and decoded strictly.
//
//	GET    /v1/packages?q=&limit=&offset=            catalog.Results
//	GET    /v1/packages/{name}?version=              catalog.Detail
//	GET    /v1/packages/{name}/icon?version=         the picture
//	GET    /v1/packages/{name}/options?version=      config.schema.json
//	POST   /v1/plans                                 plan.Request -> plan.Plan
//	POST   /v1/installations                         InstallRequest -> plan.Plan, 202
//	GET    /v1/installations                         Installations
//	GET    /v1/installations/{id}                    plan.Installation
//	DELETE /v1/installations/{id}?force=true         plan.Removal, 202; volumes are left
//	GET    /v1/installations/{id}/actions            Actions
//	POST   /v1/installations/{id}/actions            ActionRequest -> Run, 202
//
// A plan of any kind is applied by POST /v1/installations: to install, to change
// a service, and to uninstall, with its volumes or without.
//
// version is a constraint; without one it is the newest release.
package api
