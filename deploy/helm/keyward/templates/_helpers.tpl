{{- define "keyward.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "keyward.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains (include "keyward.name" .) .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "keyward.name" .) | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "keyward.selectorLabels" -}}
app.kubernetes.io/name: {{ include "keyward.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: server
{{- end }}

{{/* Of everything but the migration, whose pods no Service, policy or budget may select. */}}
{{- define "keyward.labels" -}}
{{ include "keyward.selectorLabels" . }}
{{ include "keyward.commonLabels" . }}
{{- end }}

{{- define "keyward.commonLabels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "keyward.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "keyward.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "keyward.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{- define "keyward.secretName" -}}
{{- required "secret.name: name the Secret that has DATABASE_URL and KEYWARD_SECRET" .Values.secret.name }}
{{- end }}

{{/*
The most that an instance takes, by docs/memory.md: its heap and an eighth of that for answers that
are not read yet, four hashes of argon2, 192 MiB of young objects, and 84 for the program.
*/}}
{{- define "keyward.memory" -}}
{{- $hash := default "19456" .Values.settings.KEYWARD_ARGON2_MEMORY_KIB | int64 }}
{{- printf "%dMi" (add (div (mul .Values.heapMiB 9) 8) (div (mul 4 $hash) 1024) 276) }}
{{- end }}

{{/* As in `resources`, and the memory where that says nothing of it. */}}
{{- define "keyward.resources" -}}
{{- $memory := dict "memory" (include "keyward.memory" .) }}
{{- $bounds := dict "requests" $memory "limits" (deepCopy $memory) }}
{{- toYaml (mergeOverwrite $bounds (deepCopy .Values.resources)) }}
{{- end }}

{{/* What every pod has, the one of the migration too. */}}
{{- define "keyward.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{- define "keyward.container" -}}
image: {{ include "keyward.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
resources:
  {{- include "keyward.resources" . | nindent 2 }}
{{- end }}

{{/* Secrets are files, which neither a description of the pod nor a child process shows. */}}
{{- define "keyward.secretMounts" -}}
- name: secrets
  mountPath: /run/secrets/keyward
  readOnly: true
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}
