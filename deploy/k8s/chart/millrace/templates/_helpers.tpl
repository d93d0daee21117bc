{{- define "millrace.name" -}}
{{- if contains "millrace" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-millrace" (.Release.Name | trunc 30 | trimSuffix "-") }}{{ end }}
{{- end }}

{{/* Of what is not in a namespace: two installations must not share it. */}}
{{- define "millrace.clusterName" -}}
{{ include "millrace.name" . }}-{{ .Release.Namespace }}
{{- end }}

{{/* Whether the webhook is there: it has something to say where coordinators deploy topologies. */}}
{{- define "millrace.webhook" -}}
{{- with .Values.topologies }}{{ if and .deploy .objects .webhook }}true{{ end }}{{ end }}
{{- end }}

{{- define "millrace.admissionSecret" -}}
{{ .Values.topologies.certificateSecret | default (printf "%s-admission" (include "millrace.name" .)) }}
{{- end }}

{{- define "millrace.selector" -}}
app.kubernetes.io/name: millrace
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "millrace.labels" -}}
{{ include "millrace.selector" . }}
app.kubernetes.io/part-of: millrace
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "millrace.image" -}}
{{ .Values.image.repository }}
{{- if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag }}{{ end }}
{{- end }}

{{- define "millrace.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "millrace.containerSecurity" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "millrace.placement" -}}
{{- with .nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{- define "millrace.sharedEnvironment" -}}
{{- if .Values.kafka.configSecret }}
- name: MILLRACE_KAFKA_CONFIG
  value: /etc/millrace/kafka/client.properties
{{- end }}
{{- if .Values.token.secret }}
- name: MILLRACE_HTTP_TOKEN_FILE
  value: /etc/millrace/token/token
{{- end }}
{{- end }}

{{- define "millrace.sharedMounts" -}}
{{- if .Values.kafka.configSecret }}
- {name: kafka, mountPath: /etc/millrace/kafka, readOnly: true}
{{- end }}
{{- if .Values.kafka.certificateSecret }}
- {name: kafka-tls, mountPath: /etc/millrace/kafka-tls, readOnly: true}
{{- end }}
{{- if .Values.token.secret }}
- {name: token, mountPath: /etc/millrace/token, readOnly: true}
{{- end }}
{{- if .Values.tls.enabled }}
- {name: tls, mountPath: /etc/millrace/tls, readOnly: true}
{{- end }}
{{- end }}

{{- define "millrace.sharedVolumes" -}}
{{- if .root.Values.kafka.configSecret }}
- name: kafka
  secret: {secretName: {{ .root.Values.kafka.configSecret }}, defaultMode: 0440}
{{- end }}
{{- if .root.Values.kafka.certificateSecret }}
- name: kafka-tls
  secret: {secretName: {{ .root.Values.kafka.certificateSecret }}, defaultMode: 0440}
{{- end }}
{{- if .root.Values.token.secret }}
- name: token
  secret: {secretName: {{ .root.Values.token.secret }}, defaultMode: 0440}
{{- end }}
{{- if .root.Values.tls.enabled }}
- name: tls
  secret: {secretName: {{ .tlsSecret }}, defaultMode: 0440}
{{- end }}
{{- end }}

{{- define "millrace.scheme" -}}
{{ if .Values.tls.enabled }}HTTPS{{ else }}HTTP{{ end }}
{{- end }}

{{- define "millrace.environment" -}}
{{- range $name, $value := . }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{- define "millrace.egressNames" -}}
- to: # names
    - namespaceSelector:
        matchLabels: {kubernetes.io/metadata.name: kube-system}
      podSelector:
        matchLabels: {k8s-app: kube-dns}
  ports: [{protocol: UDP, port: 53}, {protocol: TCP, port: 53}]
{{- end }}

{{- define "millrace.egressKafka" -}}
- ports: # Kafka
    {{- range .Values.kafka.ports }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
  {{- with .Values.kafka.to }}
  to: {{ toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
