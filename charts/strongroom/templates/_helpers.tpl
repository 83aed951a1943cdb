{{- define "strongroom.fullname" -}}
{{- if contains "strongroom" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-strongroom" (.Release.Name | trunc 29 | trimSuffix "-") }}{{ end }}
{{- end }}

{{- define "strongroom.operator" -}}{{ include "strongroom.fullname" . }}-operator{{- end }}
{{- define "strongroom.injector" -}}{{ include "strongroom.fullname" . }}-injector{{- end }}
{{- define "strongroom.injectorDefaults" -}}{{ include "strongroom.injector" . }}-defaults{{- end }}

{{/* Labels of an object: (dict "root" $ "component" "operator") */}}
{{- define "strongroom.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{ include "strongroom.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "strongroom.selector" -}}
app.kubernetes.io/name: strongroom-{{ .component }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* (dict "root" $ "image" .Values.operator.image) */}}
{{- define "strongroom.image" -}}
{{ .image.repository }}:{{ include "strongroom.text" (.image.tag | default .root.Chart.AppVersion) }}
{{- end }}

{{/* A value as it was written: Helm reads numbers as floats, and prints long ones as 1e+09 */}}
{{- define "strongroom.text" -}}
{{ if kindIs "float64" . }}{{ toJson . }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{/* What Pod Security's profile "restricted" asks of a pod and of a container */}}
{{- define "strongroom.podSecurity" -}}
runAsNonRoot: true
runAsUser: 100
runAsGroup: 1000
fsGroup: 1000
seccompProfile:
  type: RuntimeDefault
{{- end }}
{{- define "strongroom.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* (dict "values" .Values.operator): where pods run */}}
{{- define "strongroom.scheduling" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{/* Native match conditions came with Kubernetes 1.28 (beta, on by default) */}}
{{- define "strongroom.hasMatchConditions" -}}
{{- if semverCompare ">=1.28.0-0" .Capabilities.KubeVersion.Version }}true{{ end }}
{{- end }}
