FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# Only what runs. No workspaces, no tools of development; optional are the embedded database, as the
# image runs with DATABASE_URL, and a Node of its own. The SBOM lists what is installed then.
RUN npm pkg delete workspaces devDependencies optionalDependencies \
  && npm ci --ignore-scripts --no-audit --no-fund \
  && npm sbom --sbom-format cyclonedx --sbom-type application > sbom.cdx.json
COPY deploy/image/prune-modules.sh ./
RUN sh prune-modules.sh node_modules

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="Keyward" \
  org.opencontainers.image.description="Issues, verifies, meters, rotates and revokes API keys." \
  org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY --from=dependencies /app/sbom.cdx.json ./
COPY package.json LICENSE ./
COPY migrations migrations
COPY bin bin
COPY src src
RUN ln -s /app/bin/keyward.js /usr/local/bin/keyward
USER node
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/livez`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["keyward", "start"]
