# The container runs against a Postgres of its own: the embedded one is for laptops and refused in production.
FROM node:26-slim AS console
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The page is built with development dependencies. None of their install scripts is needed: esbuild brings its program
# as an optional package of the platform, and this image has Node.
RUN npm ci --ignore-scripts && npm cache clean --force
COPY tsconfig.json tsconfig.console.json ./
COPY src ./src
RUN node src/console/build.ts

FROM node:26-slim
# The admin listener stays on the container's own loopback unless REMIT_ADMIN_LISTEN says otherwise.
ENV NODE_ENV=production REMIT_HOST=0.0.0.0 REMIT_DATA_DIR=/data
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# --omit=optional leaves out the embedded Postgres, --omit=dev the Node that laptops get. No dependency that stays has an
# install script, and our own `prepare` would build the console that the stage above has built.
RUN npm ci --omit=dev --omit=optional --ignore-scripts && npm cache clean --force
COPY bin ./bin
COPY migrations ./migrations
COPY src ./src
COPY --from=console /app/dist/console ./dist/console
COPY openapi.yaml LICENSE ./
RUN mkdir /data && chown node:node /data
USER node
EXPOSE 4000 4001
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:4000/readyz').then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Node itself handles SIGTERM, also as process 1: not ready for 5 s, then no more connections, and what is under way is
# answered. Stop it with a grace of 40 s (docs/operations.md).
CMD ["node", "bin/remit.js", "serve"]
