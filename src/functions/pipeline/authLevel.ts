/** Read at registration: the host checks function keys only when the app requests it. */
export const authLevel = (): 'anonymous' | 'function' =>
  process.env.KEYWARD_AUTH === 'entra' ? 'anonymous' : 'function';
