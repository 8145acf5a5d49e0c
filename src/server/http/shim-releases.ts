import { releasedShimsSchema } from '../../protocol/shim-release.ts'
import type { Context } from '../context.ts'
import { getReleasedShims } from '../registry/shim-releases.ts'
import type { App } from './app-type.ts'

const CACHE = 'public, max-age=300'

/** GET /.well-known/ajwt-shim-releases: what a shim and a client compare themselves with (protocol.md section 2). */
export async function shimReleasesRoute(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const schema = {
    summary: 'Released shim versions and their checksums',
    tags: ['discovery'],
    response: { 200: releasedShimsSchema },
  }
  app.get(
    '/.well-known/ajwt-shim-releases',
    { config: { permission: 'public', work: 'registration' }, schema },
    async (_request, reply) => {
      const releases = await getReleasedShims(ctx)
      reply.header('cache-control', CACHE)
      return releases
    },
  )
}
