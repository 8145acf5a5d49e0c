import type { Context } from '../../context.ts'
import type { App } from '../app-type.ts'
import { pathOf } from '../surface.ts'
import { readConsoleFiles } from './files.ts'
import { consolePageRoutes } from './page.ts'
import { consoleSessionRoutes } from './session.ts'

/** The console, on the admin listener only: its page, and the session by which it uses the admin API. */
export async function consoleRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const files = await readConsoleFiles()
  if (!files) ctx.log.warn('the console is not built: npm run build:console')
  await app.register(consolePageRoutes, { home: `${pathOf(ctx.config.adminUrl)}/console/`, files })
  await app.register(consoleSessionRoutes, { ctx })
}
