{{- define "controller.name" -}}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{- end }}

{{- define "controller.selector" -}}
app.kubernetes.io/name: tradewind-controller
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .part | quote }}
{{- end }}

{{- define "controller.labels" -}}
app.kubernetes.io/name: tradewind-controller
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "controller.image" -}}
{{- $image := .Values.image }}
{{- if $image.digest }}{{ $image.repository }}@{{ $image.digest }}{{ else }}{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- /* What the pods share: takes (dict "root" $ "part" name "account" name "token" bool). */}}
{{- define "controller.pod" -}}
{{- $pods := .root.Values.pods }}
serviceAccountName: {{ .account }}
automountServiceAccountToken: {{ .token }}
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext: {runAsNonRoot: true, runAsUser: 50000, runAsGroup: 0, fsGroup: 0, seccompProfile: {type: RuntimeDefault}}
{{- range $key := list "nodeSelector" "tolerations" "affinity" "hostAliases" }}{{- with get $pods $key }}
{{ $key }}: {{- toYaml . | nindent 2 }}
{{- end }}{{- end }}
{{- with $pods.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- end }}

{{- define "controller.podMeta" -}}
labels:
  {{- include "controller.selector" . | nindent 2 }}
  {{- with .root.Values.pods.podLabels }}{{ toYaml . | nindent 2 }}{{ end }}
{{- $annotations := merge (dict) (.root.Values.pods.podAnnotations | default dict) }}
{{- with .checksum }}{{ $annotations = merge $annotations (dict "checksum/settings" .) }}{{ end }}
{{- with $annotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "controller.securityContext" -}}
{allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
{{- end }}

{{- define "controller.tokenSecret" -}}
{{- .Values.platform.existingSecret | default (printf "%s-token" (include "controller.name" .)) }}
{{- end }}

{{- /* The claim of the volume for backups; empty: there is none. */}}
{{- define "controller.backupsClaim" -}}
{{- .Values.backups.existingClaim | default (ternary (printf "%s-backups" (include "controller.name" .)) "" .Values.backups.persistentVolumeClaim.enabled) }}
{{- end }}

{{- /* The gateway's configuration without its Deployments, which the controller adds. */}}
{{- define "controller.gatewayConfiguration" -}}
host = {{ .Values.gateway.agentsHost | quote }}
health = ":8080"
{{- if eq .Values.gateway.kind "caddy" }}

[tls]
certificate = "/etc/tradewind/tls/tls.crt"
key = "/etc/tradewind/tls/tls.key"
{{- else }}
only_closed = true
{{- end }}

[public]
listen = ":8443"

[people]
domain = {{ .Values.gateway.peopleDomain | quote }}
listen = ":8443"
{{ end }}
