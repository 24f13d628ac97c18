{{- /* Names and labels. Names have 52 characters at most, so that what Kubernetes appends fits; a longer one ends in a hash of itself. */}}
{{- define "plane.short" -}}
{{- if gt (len .) 52 }}{{ printf "%s-%s" (. | trunc 43 | trimSuffix "-") (sha256sum . | trunc 8) }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{- define "plane.whole" -}}
{{- $chart := .Values.nameOverride | default .Chart.Name }}
{{- .Values.fullnameOverride | default (contains $chart .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $chart)) }}
{{- end }}

{{- define "plane.name" -}}
{{- include "plane.short" (include "plane.whole" .) }}
{{- end }}

{{- /* The name of a part: takes (dict "root" $ "part" "scheduler"). */}}
{{- define "plane.partName" -}}
{{- include "plane.short" (printf "%s-%s" (include "plane.whole" .root) .part) }}
{{- end }}

{{- define "plane.selector" -}}
app.kubernetes.io/name: {{ .Values.nameOverride | default .Chart.Name | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "plane.partSelector" -}}
{{ include "plane.selector" .root }}
app.kubernetes.io/component: {{ .part | quote }}
{{- end }}

{{- define "plane.labels" -}}
{{ include "plane.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "plane.partLabels" -}}
{{ include "plane.labels" .root }}
app.kubernetes.io/component: {{ .part | quote }}
{{- end }}

{{- define "plane.annotations" -}}
{{- $all := merge (dict) (.more | default dict) (.root.Values.commonAnnotations | default dict) }}
{{- with $all }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "plane.image" -}}
{{- $image := .Values.image }}
{{- if $image.digest }}{{ $image.repository }}@{{ $image.digest }}{{ else }}{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "plane.openshift" -}}
{{- $asked := toString .Values.openshift }}
{{- if or (eq $asked "true") (and (eq $asked "auto") (.Capabilities.APIVersions.Has "security.openshift.io/v1")) }}true{{ end }}
{{- end }}

{{- define "plane.serviceAccount" -}}
{{- $account := .Values.serviceAccount | default dict }}
{{- $account.name | default (ternary (include "plane.name" .) "default" (ne $account.create false)) }}
{{- end }}

{{- /* Host and path of publicUrl. */}}
{{- define "plane.host" -}}
{{- (urlParse .Values.publicUrl).host | regexFind "^[^:]+" }}
{{- end }}

{{- /* Where agents reach the plane: the first of agentHosts, else where people do. Empty: a pattern does not say. */}}
{{- define "plane.agentUrl" -}}
{{- $host := first (.Values.agentHosts | default list) | default "" }}
{{- if not $host }}{{ .Values.publicUrl | trimSuffix "/" }}{{ else if not (contains "*" $host) }}https://{{ $host }}{{ include "plane.prefix" . }}{{ end }}
{{- end }}

{{- define "plane.prefix" -}}
{{- (urlParse .Values.publicUrl).path | trimSuffix "/" }}
{{- end }}
