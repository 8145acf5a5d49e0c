import type { ReasonEntry } from '../error-catalogue.ts'

const NEW_LINK = 'Ask for a new link and open it in one browser.'

/** The console: its links, its sessions and who may use them (attacks.md 113). */
export const CONSOLE_REASONS: Readonly<Record<string, ReasonEntry>> = {
  console_code: {
    check: 'The code of the link was looked up: it was used, is too old, or the client behind it is not active.',
    mend: NEW_LINK,
    command: 'remit console',
  },
  console_session: {
    check: 'A link is asked for with an access token; this was asked for out of a console session.',
    mend: 'Ask for the link on the command line.',
    command: 'remit console',
  },
  console_session_over: {
    check:
      'The session of the cookie was looked up: it has ended, its client lost its rights, or X-Remit-Console is not its marker.',
    mend: NEW_LINK,
    command: 'remit console',
  },
  console_cookie: {
    check: 'The request has the console cookie more than once.',
    mend: 'Delete the cookies of this site. If it comes back, another page on this host sets one: find out which.',
  },
  console_header: {
    check: 'A request with the console cookie must have the header that only the page of the console adds.',
    mend: 'Use the page. If nobody made the request by hand, another site tried to make the browser do it.',
  },
  console_site: {
    check: 'Sec-Fetch-Site of a request with the console cookie must be same-origin.',
    mend: 'Use the page. If nobody made the request by hand, another site tried to make the browser do it.',
  },
  console_origin: {
    check: 'Origin of a request with the console cookie was compared with REMIT_ADMIN_URL.',
    mend: 'Open the console by that name. If somebody did, another site tried to make the browser do it.',
    command: 'remit doctor',
  },
  two_credentials: {
    check: 'The request has an access token and a console cookie; which of them counts must not be a guess.',
    mend: 'Send one of the two.',
  },
}
