{{- /* What the schema cannot say in a sentence: the remedy. */}}
{{- define "controller.refused" -}}
{{- $v := .Values }}
{{- if not $v.image.repository }}{{ fail "image.repository is empty: name the controller's image; docs/how-to/run-deployments-on-kubernetes.md builds one" }}{{ end }}
{{- if not $v.plane.image.repository }}{{ fail "plane.image.repository is empty: name an image with tradewind-provider; docs/how-to/images.md builds one" }}{{ end }}
{{- if not (regexMatch "^https://[^/@ ]+/?$" $v.platform.url) }}{{ fail "platform.url is empty or no https:// address: set it to the platform's" }}{{ end }}
{{- if and (not $v.platform.token) (not $v.platform.existingSecret) }}{{ fail "platform.token is empty: give the token that `tradewind clusters add` printed with --set-file platform.token=FILE, or a Secret with platform.existingSecret" }}{{ end }}
{{- $made := $v.database.cloudNativePG }}
{{- if and $v.database.existingSecret (or $made.cluster $made.namespace) }}{{ fail "database.existingSecret and database.cloudNativePG are both set: Deployments have one PostgreSQL" }}{{ end }}
{{- if ne (empty $made.cluster) (empty $made.namespace) }}{{ fail "database.cloudNativePG needs both cluster and namespace: name a Cluster of CloudNativePG and where it is" }}{{ end }}
{{- if and (not $v.database.existingSecret) (not $made.cluster) }}{{ fail "database.existingSecret is empty: put the URL of a PostgreSQL whose role may create roles and databases into a Secret and name it here, or name a Cluster of CloudNativePG in database.cloudNativePG" }}{{ end }}
{{- range $name := list "agentsHost" "peopleDomain" }}{{ if not (get $v.gateway $name) }}{{ fail (printf "gateway.%s is empty: `tradewind clusters get` shows the names" $name) }}{{ end }}{{ end }}
{{- if eq $v.gateway.kind "caddy" }}
{{- if not $v.gateway.tlsSecret }}{{ fail "gateway.tlsSecret is empty: the gateway needs a certificate for both names" }}{{ end }}
{{- else if not $v.gateway.parentRefs }}{{ fail "gateway.parentRefs is empty: name your gateway, such as [{name: public, namespace: gateways}]" }}
{{- end }}
{{- end }}
