{{- /* Names and labels. Names have 52 characters at most, so that what Kubernetes appends fits; a longer one ends in a hash of itself. */}}
{{- define "agent.short" -}}
{{- if gt (len .) 52 }}{{ printf "%s-%s" (. | trunc 43 | trimSuffix "-") (sha256sum . | trunc 8) }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{- define "agent.whole" -}}
{{- $chart := .Values.nameOverride | default .Chart.Name }}
{{- .Values.fullnameOverride | default (contains $chart .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $chart)) }}
{{- end }}

{{- define "agent.name" -}}
{{- include "agent.short" (include "agent.whole" .) }}
{{- end }}

{{- /* The name of a part: takes (dict "root" $ "part" "gpu"). */}}
{{- define "agent.partName" -}}
{{- include "agent.short" (printf "%s-%s" (include "agent.whole" .root) .part) }}
{{- end }}

{{- /* What selects pods never changes, since Kubernetes refuses to change it. */}}
{{- define "agent.selector" -}}
app.kubernetes.io/name: {{ .Values.nameOverride | default .Chart.Name | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "agent.partSelector" -}}
{{ include "agent.selector" .root }}
app.kubernetes.io/component: {{ .part.component | quote }}
tradewind.io/part: {{ .part.key | quote }}
{{- end }}

{{- define "agent.labels" -}}
{{ include "agent.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "agent.partLabels" -}}
{{ include "agent.labels" .root }}
app.kubernetes.io/component: {{ .part.component | quote }}
tradewind.io/part: {{ .part.key | quote }}
{{- end }}

{{- define "agent.serviceAccount" -}}
{{- $account := .part.cfg.serviceAccount | default dict }}
{{- $account.name | default (ternary (include "agent.partName" (dict "root" .root "part" .part.key)) "default" (ne $account.create false)) }}
{{- end }}

{{- /* A Secret's or ConfigMap's name is needed: takes (dict "image" map "root" $). */}}
{{- define "agent.image" -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag }}{{ end }}
{{- end }}

{{- define "agent.openshift" -}}
{{- $asked := toString .Values.openshift }}
{{- if or (eq $asked "true") (and (eq $asked "auto") (.Capabilities.APIVersions.Has "security.openshift.io/v1")) }}true{{ end }}
{{- end }}

{{- define "agent.planePort" -}}
{{- $url := urlParse .Values.planeUrl }}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" }}
{{- $port | default (eq $url.scheme "http" | ternary "80" "443") }}
{{- end }}
