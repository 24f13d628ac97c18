{{- define "agent.name" -}}
{{- contains "tradewind-agent" .Release.Name | ternary .Release.Name (printf "%s-tradewind-agent" .Release.Name) | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- define "agent.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "agent.name" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{- define "agent.selector" -}}
app.kubernetes.io/name: tradewind-agent
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "agent.labels" -}}
{{ include "agent.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end }}

{{- define "agent.image" -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}@{{ .Values.image.digest }}{{ else }}{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- /* What is a value of its own, or a secret, is no setting. */}}
{{- define "agent.refused" -}}
{{- if hasKey .Values.settings "proxy" }}{{ fail "settings.proxy may hold a password and would be readable in the pod: put the proxy's address into a Secret and name it in proxy.existingSecret" }}{{ end }}
{{- if hasKey .Values.settings "traces_headers" }}{{ fail "settings.traces_headers may hold a credential and would be readable in the pod: put the headers into a Secret and name it in traces.existingSecret" }}{{ end }}
{{- if hasKey .Values.settings "bundles" }}{{ fail "settings.bundles is the value bundles, beside settings: a list of {name, classpath, kwargs}" }}{{ end }}
{{- range .Values.bundles }}{{- range $key, $_ := .kwargs }}{{- if regexMatch "(?i)password|secret|token" $key }}{{ fail (printf "a bundle's kwargs have %q, which would be readable in the pod: name a connection of the site instead (git_conn_id)" $key) }}{{ end }}{{ end }}{{ end }}
{{- end }}
